/* The store's part of judging: rubrics and their versions, model connections, the calls that were made (cache and ledger in one), what a
 * judging job has to do, judgments, label sets and labels. As store.h: one function per question; everything returned lives in the arena. */
#ifndef STORAGE_JUDGING_H
#define STORAGE_JUDGING_H

#include "storage/store.h"
#include "transcript/judgment.h"

/* ---- rubrics: nothing is overwritten, an edit is a version ------------------------------------------------------------- */

struct rubric_row {
    struct slice name, title, behavior, body /* canonical JSON */, author, note, created_at;
    int64_t version, latest;
    unsigned char hash[HASH_SIZE]; /* of body */
    bool shipped;
    int64_t carried;               /* microseconds since 1970: of the import that brought it; 0: it was made here, or shipped */
    int64_t judgments, flagged;    /* of this version, over all collections */
};
struct rubric_rows { struct rubric_row *items; size_t n; struct page_end end; };
/* Adds a version, unless the latest has the same hash (then *added is false). `version` < 0: the next one. `base`: the version that the editor
 * began with, 0: whichever; ERR_CONFLICT where it is no longer the latest. A shipped rubric whose text changed becomes a new version only
 * where nobody edited it in between. */
bool store_rubric_put(struct store *s, const struct rubric_row *row, int64_t base, struct arena *a, struct rubric_row *out, bool *added, struct err *e);
/* version 0: the latest that was made here; of a name that is known from imports alone, the latest of the first one. ERR_NOT_FOUND. */
bool store_rubric(struct store *s, struct slice name, int64_t version, struct arena *a, struct rubric_row *out, struct err *e);
/* The latest of each, by name; with `name` all versions of that one, newest first. */
bool store_rubrics(struct store *s, struct slice name, const struct page *page, struct arena *a, struct rubric_rows *out, struct err *e);
/* Only one that has no judgment, and none that is shipped: ERR_CONFLICT. */
bool store_rubric_delete(struct store *s, struct slice name, struct err *e);
/* The versions that judgments of a collection speak of, by name and version: what an export carries. */
bool store_rubrics_used(struct store *s, struct slice collection, struct arena *a, struct rubric_rows *out, struct err *e);
enum { RUBRIC_VERSION_MAX = 1000000 }; /* of one that an export carries */
/* One that an export carries (`carried` is set; `shipped`: it is this program's own): under its own number where that is free; where another body has it, as the next version, unless the body is there already.
 * The judgments that come with it follow the body (store_put_commit), and so do their findings. */
bool store_rubric_carry(struct store *s, const struct rubric_row *row, struct err *e);

/* ---- model connections that the page stored (llm/models.h writes and reads the JSON; no secret is in it) ------------------ */

struct model_row { struct slice name, json; };
bool store_models(struct store *s, struct arena *a, struct model_row **out, size_t *n, struct err *e);
bool store_model_put(struct store *s, const struct model_row *row, struct err *e);
bool store_model_delete(struct store *s, struct slice name, struct err *e);

/* ---- calls: each is reserved durably before it is sent and settled when its answer came, so that a crash loses no money from the books, and
 *      an answer that came once is never paid again -------------------------------------------------------------------------- */

struct call_row {
    unsigned char key[16];      /* llm_prompt.key */
    struct slice reply;         /* JSON text: text, tokens, finish_reason, …; what a judge reads. Absent: none is known */
    int64_t tokens_in, tokens_out; /* -1 unknown */
    double cost, unsettled;     /* USD; NAN where prices are unknown */
    double reserved;            /* the most that the call can cost */
    struct slice model;         /* as its API calls it */
    int64_t bytes;              /* of the prompt, for store_calls_ratio */
    bool anew;                  /* it is asked although an answer is known */
    bool taken;                 /* store_calls_begin sets it: this one was not begun */
};
/* Which of the keys have a reply already: fills in reply, tokens and cost of those. */
bool store_calls_find(struct store *s, struct call_row *calls, size_t n, struct arena *a, struct err *e);
/* Durable when it returns: these are about to be sent for this job. One that was begun before and never ended (a crash) counts as unsettled then.
 * Not those whose answer came meanwhile, or is on its way to another job that runs: they are `taken`, so that no two jobs pay for one question. */
bool store_calls_begin(struct store *s, struct slice job, struct call_row *calls, size_t n, struct err *e);
/* Durable when it returns: the replies (absent: it failed, and its key may be asked again), what they cost, and what may have been billed without
 * an answer. */
bool store_calls_end(struct store *s, struct slice job, const struct call_row *calls, size_t n, struct err *e);
/* What a job has spent, over all its attempts. */
struct spend {
    int64_t calls /* sent */, cached, answered, failed, tokens_in, tokens_out;
    double cost, unsettled;     /* USD of answers; of calls that may have been billed without one, at most */
    double open;                /* reserved, neither ended nor known lost */
};
bool store_job_spend(struct store *s, struct slice job, struct spend *out, struct err *e);
bool store_job_cached(struct store *s, struct slice job, int64_t calls, struct err *e); /* adds to spend.cached */
/* What the newest answers of a model (at most 1,000) took, as far as they say it: for estimates. calls 0: none is known. */
struct call_ratio { int64_t calls, bytes, tokens_in, tokens_out; };
bool store_calls_ratio(struct store *s, struct slice model, struct call_ratio *out, struct err *e);

/* ---- what a judging job has to do ------------------------------------------------------------------------------------- */

/* Fixes the job's selection, once: the runs (ids, or those that `filter` names) in their order, as stage 0; later calls change nothing.
 * `findings`: the filter is one of findings, and their runs are meant (a cascade that begins with detectors). `limit` 0: all. With `sample` of
 * them a random choice by `seed`. */
struct judge_selection { const struct filter *filter; bool findings; uint64_t limit; bool sample; uint64_t seed; };
bool store_judge_select(struct store *s, struct slice job, struct slice collection, const struct judge_selection *selection, uint64_t *n, struct err *e);
/* What a selection comes to, for estimates; nothing is stored. */
struct judge_count {
    uint64_t runs, bytes, longest;   /* bytes of the texts of all, and of the longest */
    uint64_t alike;                  /* runs with a judgment that counts, by that rubric, version and judge_key */
    struct slice *sample;            /* ids of at most `most` of them, spread over the whole */
    size_t nsample;
};
bool store_judge_count(struct store *s, struct slice collection, const struct judge_selection *selection, struct slice rubric, int64_t version,
                       struct slice judge_key, size_t most, struct arena *a, struct judge_count *out, struct err *e);
struct judge_item { int64_t n; struct slice run; int stage; };
/* The next items that are neither done nor among those with n <= after; at most `limit`. */
bool store_judge_items(struct store *s, struct slice job, int stage, int64_t after, size_t limit, struct arena *a, struct judge_item **out, size_t *n,
                       struct err *e);
struct judge_progress { int64_t total, done, answered, flagged, failed, unsupported, skipped; };
bool store_judge_progress(struct store *s, struct slice job, int stage, struct judge_progress *out, struct err *e);

/* ---- judgments: nothing is overwritten; the newest of (run, rubric, version, judge_key) whose text is still the run's is the one that counts; one that
 *      failed only where there is no other ---- */

/* In one transaction: the judgments, their findings (of its run, detector and version it replaces; NULL: none is left; detector, version and scope are
 * set here; a failed judgment touches none, as it says nothing), and the job's items as
 * done (`item` 0: none; of one that is done already nothing is stored). With `job` absent nothing else is touched. The job's attempts start anew, as it came on. ERR_CONFLICT for a run whose
 * text changed meanwhile is no error: such a judgment is stored stale, and its findings are not. */
struct judgment_put { struct judgment judgment; const struct finding *finding; int64_t item; bool next_stage /* its run goes on to stage + 1 */; };
bool store_judgments_put(struct store *s, struct slice job, const struct judgment_put *items, size_t n, struct err *e);
/* Items whose run went, or that were judged before alike (skipped): done without a judgment. */
bool store_judge_skip(struct store *s, struct slice job, const int64_t *items, size_t n, bool next_stage, struct err *e);
/* The judgment that counts, if there is one; *found. A failed one does not. */
bool store_judgment_find(struct store *s, struct slice run, struct slice rubric, int64_t version, struct slice judge_key, struct arena *a,
                         struct judgment *out, bool *found, struct err *e);

struct judgment_filter { struct slice collection, run, rubric, judge_key, judge, state, decision, job, task, model; int64_t version /* 0 any */; int flagged /* -1 any: set it */; bool all /* stale and superseded ones too */; };
struct judgment_rows { struct judgment *items; size_t n; struct page_end end; };
/* Newest first; without raw, and without evidence unless one run is asked for. */
bool store_judgments(struct store *s, const struct judgment_filter *f, const struct page *page, struct arena *a, struct judgment_rows *out, struct err *e);
bool store_judgment(struct store *s, struct slice id, struct arena *a, struct judgment *out, struct err *e);
/* All of a run, in the order of their times: what an export carries. */
bool store_run_judgments(struct store *s, struct slice run, struct arena *a, struct judgments *out, struct err *e);
/* Who has judged: a row each (rubric, version, judge_key) of a collection, or of all, with counts and cost. */
struct judge_row { struct slice rubric, judge, judge_key, settings; int64_t version, judgments, answered, flagged, failed, unsupported, dropped, quotes; double cost; struct slice last; };
bool store_judges(struct store *s, struct slice collection, struct slice rubric, struct arena *a, struct judge_row **out, size_t *n, struct err *e);

/* ---- labels ------------------------------------------------------------------------------------------------------------- */

enum label_reading { READING_ONE /* a value a run and person, by the schema */, READING_ALL /* rows {"behavior", "strength"}: a run that was read has all that there is */ };
struct label_set {
    struct slice name, title, description, rubric /* whose answer schema it takes; absent: none */, schema /* JSON Schema of a value; absent: any */, created_at;
    enum label_reading reading;
    double test_share;           /* of runs in the test split; default 0.5 */
    int64_t labels, runs, people;
    bool declared;               /* false: only its labels know it (they came with a source) */
};
struct label_sets { struct label_set *items; size_t n; };
bool store_label_set_put(struct store *s, const struct label_set *set, struct err *e); /* made, or its description changed; ERR_CONFLICT: another schema, and there are labels */
bool store_label_set_add(struct store *s, const struct label_set *set, struct err *e); /* ERR_CONFLICT: it is declared already */
/* As put, where it still is what `was` says (as store_label_set gave it), else ERR_BUSY: somebody changed it meanwhile. */
bool store_label_set_change(struct store *s, const struct label_set *was, const struct label_set *set, struct err *e);
bool store_label_set(struct store *s, struct slice name, struct arena *a, struct label_set *out, struct err *e);
bool store_label_sets(struct store *s, struct slice collection, struct arena *a, struct label_sets *out, struct err *e);
bool store_label_set_carry(struct store *s, const struct label_set *set, struct err *e); /* of an export: made unless there is one of that name */
bool store_label_set_delete(struct store *s, struct slice name, struct err *e); /* with its labels that were given here */

struct label_row {
    int64_t n;
    struct slice id;             /* its number as text */
    struct slice run, external_id, task_id, collection, set, value /* JSON */, who, when, split /* dev, test; absent: by the run's name */;
    bool by_hand;
};
struct label_rows { struct label_row *items; size_t n; struct page_end end; };
struct label_filter { struct slice collection, set, run, who, value /* as it is stored */; };
/* By run, then time. */
bool store_labels(struct store *s, const struct label_filter *f, const struct page *page, struct arena *a, struct label_rows *out, struct err *e);
/* Gives labels: of READING_ONE (or an undeclared set) the same person's earlier value on the run is replaced; of READING_ALL a row is added unless it is there. One transaction;
 * `added`, `changed` count. An export and a re-import of it change nothing. */
bool store_labels_put(struct store *s, const struct label_row *rows, size_t n, uint64_t *added, uint64_t *changed, struct err *e);
bool store_label_delete(struct store *s, struct slice id, struct err *e);

/* ---- raters: what somebody or something says of each run, for agreement --------------------------------------------------- */

struct rating { struct slice run, external_id, task_id, value /* JSON: an answer's fields, a label's value */; double confidence, share; struct slice split; struct slice id /* judgment or label */, who /* of a label */; };
struct ratings { struct rating *items; size_t n; };
/* The judgments that count of one judge, sorted by run. Failed ones are left out and counted. */
bool store_ratings_judge(struct store *s, struct slice collection, struct slice rubric, int64_t version, struct slice judge_key, struct arena *a,
                         struct ratings *out, uint64_t *failed, struct err *e);
/* A person's labels of a set (`who` absent: everybody's, a row each). */
bool store_ratings_labels(struct store *s, struct slice collection, struct slice set, struct slice who, struct arena *a, struct ratings *out, struct err *e);
/* For each run of a collection (absent: all), whether it has (or is cited by) a finding that is not dismissed by that detector, or (detector absent) of that behaviour, of at
 * least that severity: value true or false, all runs, sorted. Of a behaviour, what judges found counts with `judges` alone. */
bool store_ratings_findings(struct store *s, struct slice collection, struct slice detector, struct slice behavior, bool judges, enum severity least,
                            struct arena *a, struct ratings *out, struct err *e);

#endif
