/* The store: one function per question. One struct store per thread; any number of threads and processes on one file.
 *
 * One writer at a time: every write transaction and every checkpoint holds an flock on `<database>.lock` (SQLite 3.40.1 can
 * corrupt a WAL that is reset while another connection writes); readers never wait for it. Whatever is returned lives in
 * the arena that was handed in. Functions return false with `e` set: ERR_NOT_FOUND, ERR_CONFLICT, ERR_BUSY (the lock was not
 * to be had within 60 s), ERR_FULL, ERR_NEWER, ERR_IO, ERR_USAGE (a filter, cursor or sort key that means nothing). */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/str.h"
#include "transcript/fact.h"
#include "transcript/finding.h"
#include "transcript/run.h"
#include "transcript/summary.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

enum store_mode {
    STORE_READ,   /* the database must exist; nothing is written */
    STORE_WRITE,  /* made and migrated when missing or older */
};
/* `url`: a path, sqlite:PATH, or ":memory:" (tests). A database newer than the program is refused with ERR_NEWER. */
bool store_open(const char *url, enum store_mode mode, struct store **out, struct err *e);
void store_close(struct store *s);
/* A reader of a database that nobody has open makes a log beside it (-wal, -shm), and cannot take it away: is there one, and, once the reader is
 * closed, away with it where nobody else has begun to use the database. */
bool store_has_log(const char *url);
void store_leave(const char *url);
const char *store_path(const struct store *s);
/* From now on what reads ends soon after *stop is set: searches as at their deadline, all else with ERR_LIMIT. What writes is not broken
 * off. NULL: nothing ends it early. */
void store_break_off(struct store *s, const atomic_bool *stop);
/* Where uploads wait: "<database>.spool", made when missing. */
const char *store_spool_dir(struct store *s, struct err *e);

/* ---- lists ---------------------------------------------------------------------------------------------------------- */

struct page {
    uint32_t limit;       /* 1..1000; 0: 50 */
    struct slice after;   /* cursor of the page before, or absent */
    struct slice sort;    /* "field,-field"; absent: the list's own order */
    bool count;           /* fill `total` even where it costs a scan */
    uint64_t offset;      /* of runs alone: leave out so many first (after the cursor, where there is one) */
};
#define TOTAL_UNKNOWN INT64_C(-1)
struct page_end {
    struct slice next;    /* cursor of the next page; absent: this was the last */
    int64_t total;        /* or TOTAL_UNKNOWN */
};

/* Filters of runs, tasks and findings. Absent means any; a list separated by commas means any of them, an empty word in it what has none.
 * In a word "\," is a comma and "\\" a backslash. */
struct filter_pair { struct slice key, value; };
enum { FILTER_PAIRS = 8 };
struct filter {
    struct slice collection;                    /* id; required except where ids name rows */
    bool anywhere;                              /* or where all collections are meant */
    struct slice kind, behavior, detector, severity, status, scope;
    struct slice task, model, agent, tag, success; /* success: true|false|unknown */
    struct slice exit_status, format, attempt;
    struct slice stopped_by;                    /* the data model's "limit"; that word is a page's size */
    struct slice run;                           /* findings of one run */
    struct slice exception;                     /* findings that it set aside; empty: that none did */
    struct slice q;                             /* words in name, task, external id, exit status, error, title */
    int has_findings;                           /* 1 yes, 0 no, -1 any: set it to -1 */
    struct filter_pair meta[FILTER_PAIRS];      /* metadata.KEY = value */
    struct filter_pair scores[FILTER_PAIRS];    /* the first score of that name = value */
    struct filter_pair ranges[FILTER_PAIRS];    /* field, "LOW..HIGH": both ends count, either may be missing */
    size_t nmeta, nscores, nranges;
    const struct slice *ids;                    /* only these rows */
    size_t nids;
};
#define FILTER_ANY ((struct filter){.has_findings = -1})
/* Sets what REST, the command line and judging jobs call `name`: a member of the above, has_findings, meta.KEY, score.NAME, range.FIELD (a
 * field with numbers or times: messages, calls, tokens, cost, duration in seconds, findings, attempt, started_at, ended_at, score.NAME,
 * meta.KEY). The slices must live as long as the filter. ERR_USAGE: there is no such name, or too many, or no such range. */
bool filter_set(struct filter *f, struct slice name, struct slice value, struct err *e);
/* The same the other way round: name and value of the i-th thing that is set; false after the last. The name lives in `a`. */
bool filter_get(const struct filter *f, size_t i, struct arena *a, struct slice *name, struct slice *value);

/* ---- collections ---------------------------------------------------------------------------------------------------- */

struct collection_row {
    struct slice id, name, description, metadata, created_at;
    int64_t runs, passed, failed, flagged /* runs with a finding that is not dismissed */, tasks, broken_tasks, findings;
    int64_t bytes;      /* that its runs say and show, unpacked: each its own, though they are stored once */
    struct slice imported_at;
    struct slice keep;  /* how long it keeps its runs, as keep_parse (care.h) reads it; absent: as the server says */
    struct slice quota; /* how much it may have, as quota_parse (care.h) reads it; absent: any number */
};
struct collection_rows { struct collection_row *items; size_t n; struct page_end end; };

/* `id` and `created_at` may be absent: they are made. ERR_CONFLICT where name or id exists. */
bool store_collection_add(struct store *s, const struct collection_row *row, struct arena *a, struct collection_row *out, struct err *e);
bool store_collection(struct store *s, struct slice id_or_name, struct arena *a, struct collection_row *out, struct err *e);
/* The collection of that name, made where it is missing. A name that no collection may have is made one: cut, control characters as _. */
bool store_collection_want(struct store *s, struct slice id_or_name, struct arena *a, struct collection_row *out, struct err *e);
bool store_collections(struct store *s, const struct page *page, struct arena *a, struct collection_rows *out, struct err *e);
/* Absent fields of `row` stay as they are. `id` and `created_at` may change while the collection has no run (an export that comes
 * back), else ERR_CONFLICT. An empty `keep` is again that of the server; the `quota` "none" takes it away. */
bool store_collection_change(struct store *s, struct slice id_or_name, const struct collection_row *row, struct err *e);
bool store_collection_delete(struct store *s, struct slice id, struct err *e);

/* ---- putting runs in ------------------------------------------------------------------------------------------------ */

enum put_outcome { PUT_NEW, PUT_UPDATED, PUT_DUPLICATE };
enum { PUT_OUTCOMES = 3 };

/* A run that was not put in, as the quota of the collection leaves no room for it. */
struct put_over {
    const struct run *run;             /* without transcripts, scores and findings */
    const struct findings *findings;
    size_t messages;
};
struct put_target {
    struct slice collection;   /* id */
    bool replace;              /* changed content under a known name replaces it; else it is another run */
    int64_t imported;          /* microseconds since 1970, one time for all that belongs to an import; 0: now */
    void (*over)(void *ctx, const struct put_over *over, const struct err *why); /* after a commit, for each; NULL: nobody asks */
    void *ctx;
    const struct piece_groups *made_of; /* that the runs are built of: a commit is ERR_BUSY once redaction has changed one since it was loaded; NULL: none */
};
struct put; /* runs that were prepared (ids, compressed blocks, grams) and wait for their transaction */

struct put *store_put_new(struct store *s, const struct put_target *target);
void store_put_free(struct put *p);

/* What names a run besides its UUID, else its external_id: the file it comes from (its real path, or "upload:FILENAME"), how many runs
 * of that file bore the same UUID or external_id before it, and the hash of its content (run_content_hash). */
struct put_name {
    struct slice path;
    uint32_t ordinal;
    unsigned char content_hash[HASH_SIZE];
    int64_t place;             /* among the runs of its import: what their order in lists goes by */
};
/* Does the collection hold this very run already, with its labels? A look without the lock, so that known runs need no detecting.
 * ERR_QUOTA: it is a new one, and the collection has as many as it may have. */
bool store_put_known(struct put *p, const struct put_name *name, const struct run *run, bool *known, struct err *e);
/* Takes a run in; copies what it needs, so the run's arena may go. `findings` and `incomplete` as detect_run made them
 * (run->carried, where there is one, is stored instead of findings). */
bool store_put_add(struct put *p, const struct put_name *name, const struct run *run, const struct findings *findings,
                   const struct incomplete *incomplete, size_t nincomplete, struct err *e);

/* Adding messages to a run that is there: store_append_begin(), load it, put what it becomes with its own id and `path`, commit. */
struct append {
    struct slice run;                 /* id */
    struct slice key;                 /* Idempotency-Key; absent: none */
    unsigned char body[HASH_SIZE];    /* of what the key came with */
    bool finished;                    /* nothing more may be added */
    int32_t transcript;               /* position; these three are what is answered, now and when the key comes again */
    uint32_t first, messages;         /* index of the first new message; how many the run has then */
    /* out: */
    struct slice path;                /* for put_name */
    unsigned char base[HASH_SIZE];    /* what the run is now: the commit goes through only if it still is */
    bool was_finished, known;         /* known: the key came before, and the answer is filled in: there is nothing to do */
    bool stale;                       /* after store_put_commit() failed: it was not, begin again */
};
/* ERR_NOT_FOUND; ERR_CONFLICT: it is finished, or made of pieces (below); ERR_REUSED: the key came with another body. */
bool store_append_begin(struct store *s, struct append *append, struct arena *a, struct err *e);
/* The one run that is put is this one with more. Must live until the commit. Its labels, its file and images stay as they are. */
void store_put_append(struct put *p, struct append *append);

/* Files: a file whose bytes the collection has needs no reading. */
struct file_row {
    unsigned char hash[HASH_SIZE];
    struct slice path, name, format;
    uint64_t bytes, runs, refused;
};
/* Remembers a file at the next commit. Call when it was read to its end and all its runs were committed or are in `p`; deleting
 * a run forgets its file's bytes. */
void store_put_file(struct put *p, const struct file_row *file);
bool store_file_known(struct store *s, struct slice collection, const unsigned char hash[HASH_SIZE], struct arena *a, bool *known,
                      struct file_row *out, struct err *e);

/* Bytes waiting: commit when it passes a few MB. */
size_t store_put_bytes(const struct put *p);
/* Everything that waits, in one durable transaction. Adds to counts; the put is then empty and may be used again. A replaced run
 * keeps its labels and the reviews whose words still stand. `tasks`, if not NULL, gets the ids of the tasks (may repeat) whose
 * findings are to be made anew: not those of runs with carried findings. New runs that a quota leaves no room for are not in, nor in counts. */
bool store_put_commit(struct put *p, uint64_t counts[PUT_OUTCOMES], struct arena *a, struct slices *tasks, struct err *e);

/* Lines of an export that are no run. */
bool store_blob_put(struct store *s, struct slice collection, struct slice media_type, struct slice bytes, struct err *e);
bool store_finding_put(struct store *s, struct slice collection, const struct finding *finding, struct err *e);

/* ---- pieces: runs that arrive bit by bit ------------------------------------------------------------------------------ */

struct piece {
    struct slice path;   /* of its group: what the group's runs are known by, as those of a file by its path ("otlp:TRACE") */
    struct slice id;     /* in the group */
    int64_t rank;        /* of pieces with one id the one of the highest rank counts, of the same rank the last */
    struct slice body;
    bool refused;        /* out: the group has as much as it may */
};
enum { PIECES_OF_GROUP = 1 << 28 }; /* bytes */
/* Durable when it returns. A job of kind "build" for the collection (id) begins when the groups have been quiet for about a second. */
bool store_pieces_add(struct store *s, struct slice collection, struct piece *items, size_t n, struct err *e);

struct piece_group {
    int64_t n, last;     /* keys; last: of the newest piece that was loaded */
    struct slice path;
    uint64_t bytes;
    int64_t redacted;    /* how often redaction in place had changed it */
    struct piece *items; /* in the order in which they first came, each id once */
    size_t nitems;
};
struct piece_groups { struct piece_group *items; size_t n, cap; };
/* Groups of a collection that are due: at most `limit`, and after the first at most `bytes` together; one whose last attempt came to no end
 * (store_piece_groups_end) comes alone. Each counts an attempt; after three that came to no end it is given up until more of it comes, so
 * that one poisoned group cannot loop. */
bool store_piece_groups_begin(struct store *s, struct slice collection, size_t limit, uint64_t bytes, struct arena *a, struct piece_group **out,
                              size_t *n, struct err *e);
/* The paths of those that are given up, at most `limit`. */
bool store_piece_groups_given_up(struct store *s, struct slice collection, size_t limit, struct arena *a, struct slices *out, struct err *e);
/* Loads path, items and last. */
bool store_piece_group_load(struct store *s, struct piece_group *group, struct arena *a, struct err *e);
/* The group of that path, for loading; n 0: there is none. */
bool store_piece_group_find(struct store *s, struct slice collection, struct slice path, struct piece_group *out, struct err *e);
/* It is to be built again, if there is one: something that it is built with has changed. */
bool store_piece_group_wake(struct store *s, struct slice collection, struct slice path, struct err *e);
/* The runs are built of what was loaded, or (`built` false) are not, for a reason that is no group's fault: the attempt then does not count. One
 * that redaction has changed meanwhile is to be built again. */
bool store_piece_groups_end(struct store *s, const struct piece_group *groups, size_t n, bool built, struct err *e);

/* ---- detecting again, and over tasks -------------------------------------------------------------------------------- */

/* Both of these look first and take the lock only where something changes.
 * Replaces the run-scope findings of a run by detectors (all, or those in only[n]); reviews of the same evidence stay.
 * `changed` says whether anything differs from before. `content_hash` (hexadecimal, as store_runs() gave it before the run was
 * loaded; absent: whatever it is) is what the run must still be, else ERR_CONFLICT: what was found may be of another text. */
bool store_run_findings(struct store *s, struct slice run, struct slice content_hash, const struct findings *findings,
                        const struct incomplete *incomplete, size_t nincomplete, const struct slice *only, size_t nonly, bool *changed,
                        struct err *e);
bool store_task_summary(struct store *s, struct slice collection, struct slice task_id, struct arena *a, struct task_summary *out, struct err *e);
/* What error lines are common in a collection; task_summary.common points to it. */
bool store_common_errors(struct store *s, struct slice collection, struct arena *a, struct common_errors *out, struct err *e);
/* Words that summaries do not hold, from this store; lives as long as it. `ctx` is the store. */
struct quotes store_quotes(struct store *s);
/* All runs of a collection, task by task in the order of their ids, those of no task last (task_id absent). A task of many runs comes in
 * pieces of 1,000 runs, one after the other, its own findings with the first. Summaries have no scores; their findings are those of
 * detectors[n], with id, detector and captures alone. What is handed to `each` is gone when it returns; false from it ends the feed. */
struct feed_wish {
    const struct slice *detectors;
    size_t ndetectors;
    const struct quotes *quotes;
    bool (*each)(void *ctx, const struct task_summary *piece, struct err *e);
    void *ctx;
};
bool store_collection_feed(struct store *s, struct slice collection, const struct feed_wish *wish, struct err *e);
bool store_task_findings(struct store *s, struct slice collection, struct slice task_id, const struct findings *findings,
                         const struct slice *only, size_t nonly, bool *changed, struct err *e);
/* Findings about the collection as a whole, made of what it was after `looked` changes (struct look). */
bool store_collection_findings(struct store *s, struct slice collection, const struct findings *findings, const struct slice *only, size_t nonly,
                               int64_t looked, bool *changed, struct err *e);
/* How a collection stands to the rules that speak of it as a whole. */
struct look {
    int64_t changes, runs;
    bool due;              /* it has changed since they last looked */
    bool busy;             /* jobs wait that may change it */
    bool waits;            /* one of kind "look" waits already */
};
bool store_look(struct store *s, struct slice collection, struct look *out, struct err *e);
/* A job of kind "look" begins after that time; where one waits already, at its time. */
bool store_look_queue(struct store *s, struct slice collection, int64_t delay_us, struct err *e);
bool store_task_ids(struct store *s, struct slice collection, struct arena *a, struct slices *out, struct err *e);
/* Makes the digest of a run (transcript/actions.h) where it has none of this program's revision. */
bool store_run_redigest(struct store *s, struct slice id, const struct run *run, struct err *e);
/* What detectors could not finish, newest runs first. Of the filter only `collection` (needed) and `run` count; nothing sorts it. */
struct incomplete_row { struct slice run, external_id, detector, reason; };
struct incomplete_rows { struct incomplete_row *items; size_t n; struct page_end end; };
bool store_incomplete(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct incomplete_rows *out,
                      struct err *e);

/* ---- runs ----------------------------------------------------------------------------------------------------------- */

struct finding_row {
    struct finding finding;      /* with id, status, reviewer, note, created_at; evidence has run set */
    struct slice collection;
    bool has_run;                /* false: about a task or the collection */
    struct run run;              /* id, external_id, name, task_id, model, success, source */
};
struct finding_rows { struct finding_row *items; size_t n; struct page_end end; };

struct run_row {
    struct run run;              /* everything but messages; transcripts with nmessages, messages NULL */
    struct slice collection;
    struct slice content_hash;   /* hexadecimal */
    struct slice gist;           /* the first line of the first user message, at most 200 bytes */
    int64_t imported;            /* microseconds since 1970; the same for all runs of one import */
    uint32_t messages, calls;
    uint32_t findings[KIND_COUNT]; /* not dismissed, by kind, of scope run */
    bool has_first;
    struct finding first;        /* the most severe of them, with its first evidence */
};
struct run_rows { struct run_row *items; size_t n; struct page_end end; };

/* Sort keys of runs: started_at, ended_at, name, task, model, success, messages, calls, tokens, cost, duration, findings,
 * attempt, agent, exit_status, stopped_by, format, meta.KEY, score.NAME, id, imported (the default: newest import first, in the order of
 * the file). */
bool store_runs(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct run_rows *out, struct err *e);
bool store_run(struct store *s, struct slice id, struct arena *a, struct run_row *out, struct err *e);
/* The ids of all runs that a filter names, ascending: an order that is the same wherever the runs come to. */
bool store_run_ids(struct store *s, const struct filter *f, struct arena *a, struct slices *out, struct err *e);
/* What the runs of a collection are known by, in the order in which they came; with `external_id` only those of that name. */
struct run_name { struct slice id, external_id, file, location; };
struct run_names { struct run_name *items; size_t n, cap; };
bool store_run_names(struct store *s, struct slice collection, struct slice external_id, struct arena *a, struct run_names *out, struct err *e);
/* The whole run with its messages, as it was put in: for scans, exports and checks. */
bool store_run_load(struct store *s, struct slice id, struct arena *a, struct run *out, struct err *e);
/* Messages [from, from + limit) of one transcript (position), with calls; `total` is how many there are. */
bool store_messages(struct store *s, struct slice run, int32_t transcript, uint32_t from, uint32_t limit, struct arena *a,
                    struct message **out, size_t *n, uint32_t *total, struct err *e);
/* What the run did, call by call (transcript/actions.h); of a run that was put in by an older program nothing until the next scan. */
struct run_action {
    struct slice name;
    int32_t transcript, message; /* position, index */
    uint32_t call;               /* position in its message */
};
bool store_run_actions(struct store *s, struct slice run, struct arena *a, struct run_action **out, size_t *n, struct err *e);
/* One mark a message, for the minimap and the timeline: role, length of its text in bytes, calls, error, and when it was said
 * (microseconds since 1970; MARK_NO_TIME where the source does not say). */
#define MARK_NO_TIME INT64_MIN
struct message_mark { enum role role; uint32_t bytes, calls; bool error; int64_t at; };
bool store_marks(struct store *s, struct slice run, int32_t transcript, struct arena *a, struct message_mark **out, size_t *n, struct err *e);
bool store_run_delete(struct store *s, struct slice id, struct err *e);
/* All that the filter names; *deleted: how many. In slices, so that other writers get their turn: cut short, what had gone is gone, and the
 * same again does the rest. dry_run: how many it would be. */
bool store_runs_delete(struct store *s, const struct filter *f, bool dry_run, uint64_t *deleted, struct err *e);
/* Adds (or takes off) a tag on all that the filter names; how many changed. */
bool store_tag(struct store *s, const struct filter *f, struct slice tag, bool add, uint64_t *changed, struct err *e);
bool store_blob(struct store *s, struct slice sha256_hex, struct arena *a, struct blob *out, struct err *e);

/* The runs of two filters of one collection, beside each other. With `rest` the second side is what it names but for the runs of the first. */
bool store_run_facts(struct store *s, const struct filter side[SIDES], bool rest, struct arena *a, struct run_facts *out, struct err *e);

/* ---- findings ------------------------------------------------------------------------------------------------------- */

/* Sort keys: created_at, severity (the default, high first, then detector), detector, task, behavior, status. */
bool store_findings(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct finding_rows *out, struct err *e);
bool store_finding(struct store *s, struct slice id, struct arena *a, struct finding_row *out, struct err *e);
struct review { /* absent: left as it is */
    bool has_status;
    enum finding_status status;
    struct slice note, reviewer;
};
bool store_review(struct store *s, const struct filter *f, const struct review *review, uint64_t *changed, struct err *e);

/* ---- tasks and the story -------------------------------------------------------------------------------------------- */

struct model_count { struct slice model; int64_t runs, passed, failed; };
struct task_row {
    struct slice task_id, gist, target; /* gist: of its first run; target: of its first score */
    int64_t runs, passed, failed, models_n;
    int64_t findings[KIND_COUNT];       /* not dismissed, run and task scope */
    enum task_verdict verdict;
    struct finding *reasons;            /* of the verdict: broken_task findings about the task, the gravest first, without evidence; at most 20 */
    size_t nreasons;
    struct model_count *models;         /* in the order of the collection's models */
    size_t nmodels;
    bool has_best;
    struct finding_row best;            /* the finding that says most about the task: task scope first, most severe */
};
struct task_rows { struct task_row *items; size_t n; struct page_end end; };
/* Sort keys: task, runs, pass_rate, findings, verdict (the default: broken first, then most runs lost). */
bool store_tasks(struct store *s, const struct filter *f, const struct page *page, struct arena *a, struct task_rows *out, struct err *e);

struct group_count { struct slice name, behavior /* of a detector */; enum kind kind; int64_t findings, runs, tasks, open, confirmed, dismissed /* by people */, excepted /* by exceptions */; enum severity severity;
                     bool has_best; struct finding_row best; };
struct facet { struct slice field; struct { struct slice value; int64_t runs; } *values; size_t n; };
struct summary {
    struct collection_row collection;
    int64_t runs, passed, failed, unknown, tasks, models, messages, calls, tokens_in, tokens_out;
    double cost_usd;                        /* NAN where no run has one */
    int64_t files, refused;
    int64_t broken_tasks, suspect_tasks, sound_runs, sound_passed, sound_failed; /* sound: without the runs of broken tasks */
    int64_t kind_findings[KIND_COUNT], kind_runs[KIND_COUNT], kind_tasks[KIND_COUNT]; /* not dismissed */
    struct group_count *detectors;          /* most runs first */
    size_t ndetectors;
    struct group_count *behaviors;          /* by kind, most runs first, each with its best finding */
    size_t nbehaviors;
    struct { struct slice model; int64_t runs, passed, failed, sound_runs, sound_passed, sound_failed, flagged; } *by_model;
    size_t nby_model;
    struct facet *facets;                   /* model, success, task, kind, behavior, exit_status, format, tag: at most 50 values each */
    size_t nfacets;
    int64_t incomplete;                     /* (run, detector) pairs that hit a limit */
};
bool store_summary(struct store *s, struct slice collection, struct arena *a, struct summary *out, struct err *e);
/* How often anything changed that a summary says. `collection`: an id. */
bool store_version(struct store *s, struct slice collection, int64_t *out, struct err *e);

/* ---- fields, facets and statistics of runs ------------------------------------------------------------------------------ */

enum field_type { TYPE_TEXT, TYPE_NUMBER, TYPE_BOOL, TYPE_TIME };
const char *field_type_name(enum field_type type);
/* A field that runs of a collection have: model, cost, meta.KEY, score.NAME, … `values`: different ones; `runs`: that have one. */
struct field_row { struct slice field; enum field_type type; bool words; int64_t values, runs; }; /* words: it can be a facet or group */
struct field_rows { struct field_row *items; size_t n; };
/* Metadata of more than some hundred keys, or of keys nested deeper than four, is listed in part. */
bool store_fields(struct store *s, struct slice collection, struct arena *a, struct field_rows *out, struct err *e);

/* How many of the runs that a filter names have which value of a field; what the filter says of that field itself does not count. */
struct facet_value { struct slice value /* absent: none; of success "unknown" */; int64_t runs, passed, failed; };
struct facet_row { struct slice field; struct facet_value *values; size_t n; int64_t more; }; /* most runs first; more: values that are left out */
struct facet_rows { struct facet_row *items; size_t n; int64_t total /* runs that pass the whole filter */; };
/* `fields`: separated by commas; `limit` values of each at most, 0: 50. ERR_USAGE: a field that has no words. */
bool store_facets(struct store *s, const struct filter *f, struct slice fields, size_t limit, struct arena *a, struct facet_rows *out, struct err *e);

/* What a number is over the runs of a group that have it. p90: the least value that 90 % of them do not exceed. n 0: nobody has it. */
struct amount { int64_t n; double sum, mean, median, p90; };
enum stat_field { STAT_COST, STAT_TOKENS, STAT_DURATION /* milliseconds */, STAT_MESSAGES, STAT_CALLS };
enum { STAT_FIELDS = 5 };
struct stat_row { struct slice value; int64_t runs, passed, failed; struct amount stats[STAT_FIELDS]; };
struct stat_rows { struct stat_row *items; size_t n; int64_t more; };
/* A row a value of field `by` (absent: one row of all runs), most runs first, `limit` at most (0: 100). */
bool store_stats(struct store *s, const struct filter *f, struct slice by, size_t limit, struct arena *a, struct stat_rows *out, struct err *e);

/* ---- the map of a collection's runs (detect/atlas.h) --------------------------------------------------------------------- */

enum { ATLAS_SCALE = 10000 };
struct atlas_point {
    int64_t key;             /* store_atlas() gives it; ascending */
    struct slice run;        /* UUID */
    int32_t at[2];           /* -ATLAS_SCALE to ATLAS_SCALE */
};
struct atlas_points {
    struct slice collection; /* id */
    int64_t revision, changes; /* of the program's way to draw, and of the collection when it was drawn (struct look) */
    bool stale;              /* the collection has changed since */
    struct slice made_at, about; /* about: JSON text */
    struct atlas_point *items;
    size_t n;
};
/* Replaces the collection's map; runs in any order, those that are gone are left out. */
bool store_atlas_put(struct store *s, const struct atlas_points *points, struct err *e);
/* made_at absent: there is none yet. Runs that came since have no place in it. */
bool store_atlas(struct store *s, struct slice collection, struct arena *a, struct atlas_points *out, struct err *e);
/* What each point has of a field (store_fields): a number, or the place of a word, 0 for none; of several the first. And which of them the filter
 * lets through. */
struct atlas_colours {
    double *numbers;         /* NAN where there is none; NULL: words */
    uint32_t *codes;
    struct slice *words;     /* words[1 … nwords] */
    uint32_t nwords;
    bool *shown;
    size_t n;
};
bool store_atlas_colours(struct store *s, const struct filter *f, struct slice field, const struct atlas_points *points, struct arena *a,
                         struct atlas_colours *out, struct err *e);

/* ---- search and SQL ------------------------------------------------------------------------------------------------- */

/* Words are sought without case, all of them in one part of a message (its text, its reasoning, its error, a call's arguments); what
 * stands between "double quotes" is one of them. */
struct search_query {
    struct slice pattern;
    bool regex, match_case;      /* a regex knows case; it says (?i) where it is to be otherwise */
    struct slice role, tool;     /* lists, as filters are; absent: any */
    struct filter runs;          /* in which runs: what it asks of collection, model, task, agent, success, exit status, tag and metadata */
    uint32_t limit;              /* hits on a page; 0: 50 */
    struct slice after;
    bool count;
    int64_t deadline_us;         /* clock_monotonic_us(); 0: 10 s from now */
};
struct search_hit {
    struct slice run, external_id, collection, task_id, model;
    enum verdict success;
    int32_t transcript, message;
    enum role role;
    struct slice tool, part;     /* part as in evidence */
    uint32_t start, end;         /* of the match in the part */
    struct slice line;           /* the line with the match, cut around it to at most 400 bytes */
    uint32_t line_start;         /* where `line` begins in the part */
};
struct search_hits { struct search_hit *items; size_t n; struct page_end end; bool incomplete; struct slice reason; };
/* Newest import first, within it in the order of its runs and messages. A hit is a (message, part) that matches, at its first match; of
 * several words where most of them stand in one line, as far as it is shown. Where the deadline ends the search
 * (`incomplete`), `next` goes on from there. ERR_USAGE for a pattern that does not compile. */
bool store_search(struct store *s, const struct search_query *q, struct arena *a, struct search_hits *out, struct err *e);

/* How many hits there are for each value of a field, the most frequent first. Each field counts as if nothing were asked of it itself, so
 * that other values can be chosen. */
struct search_value { struct slice value; int64_t hits; }; /* absent: hits that have none */
enum search_field { SEARCH_COLLECTION, SEARCH_ROLE, SEARCH_TOOL, SEARCH_MODEL, SEARCH_TASK, SEARCH_SUCCESS };
#define SEARCH_FIELDS (SEARCH_SUCCESS + 1)
enum { SEARCH_VALUES = 50 }; /* of a field that are listed */
const char *search_field_name(enum search_field field);
struct search_facets {
    struct { struct search_value *values; size_t n; int64_t more; /* values that are not listed */ } fields[SEARCH_FIELDS];
    int64_t total;               /* hits; where it is not complete, as far as they were counted */
    bool complete;
    struct slice reason;
};
/* limit, after and count of the query are not looked at. Else as store_search(). */
bool store_search_facets(struct store *s, const struct search_query *q, struct arena *a, struct search_facets *out, struct err *e);

/* Read-only SQL over the documented views, written to `out` as {"columns": […], "rows": [[…]], "truncated": bool}.
 * `params`: JSON text of an array, or absent. `limit` rows, 0 for none. The authorizer lets through SELECT on the views alone;
 * an operation deadline, value and row sizes are bounded. ERR_USAGE with SQLite's words for bad SQL, ERR_FORBIDDEN, ERR_LIMIT. */
bool store_sql(struct store *s, struct slice query, struct slice params, uint64_t limit, int64_t deadline_us, struct str *out, struct err *e);
enum { SQL_TEXT_BYTES = 64 << 10, SQL_VALUE_BYTES = 32 << 20, SQL_MEMORY_BYTES = 256 << 20 }; /* of a query, a value, all it works on */

/* The views it may read, and the functions it may call; each list ends with a row of nothing. */
struct sql_column {
    const char *name;
    const char *type;   /* text, integer, number, bool (1 and 0), time (as text), json (as text) or any */
    const char *about;
};
struct sql_view {
    const char *name, *about;
    const struct sql_column *columns;
};
extern const struct sql_view sql_views[];
extern const char *const sql_functions[];

/* Queries that people keep, by name. */
struct saved_query {
    struct slice id;         /* uuid; absent: a new one */
    struct slice name;       /* unique */
    struct slice text;
    struct slice chart;      /* how the page draws it, as a JSON object; absent: as a table */
    struct slice created_at, updated_at;
};
struct saved_queries { struct saved_query *items; size_t n; };
/* All of them, by name. */
bool store_queries(struct store *s, struct arena *a, struct saved_queries *out, struct err *e);
/* Puts one in, or in the place of the one with its id, and gives it back as it stands. ERR_CONFLICT: another has the name; ERR_NOT_FOUND. */
bool store_query_put(struct store *s, const struct saved_query *query, struct arena *a, struct saved_query *out, struct err *e);
bool store_query_delete(struct store *s, struct slice id, struct err *e);

/* ---- jobs ----------------------------------------------------------------------------------------------------------- */

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };
const char *job_state_name(enum job_state state);

struct job_row {
    struct slice id, kind, collection;
    enum job_state state;
    struct slice payload, progress, result; /* JSON text */
    struct slice error;
    int64_t attempts;
    int64_t claim;                          /* how often it was ever claimed: by this whoever claimed it is known */
    struct slice created_at, started_at, ended_at;
    struct slice token;                     /* id of the token that it was asked for with; absent: none */
};
struct job_rows { struct job_row *items; size_t n; struct page_end end; };
/* Durable when it returns (synchronous=FULL). With a key (Idempotency-Key) that was seen for the same kind and collection, gives the
 * earlier job and sets *existing. `id` absent: made. */
bool store_job_add(struct store *s, const struct job_row *job, struct slice key, struct arena *a, struct job_row *out, bool *existing,
                   struct err *e);
/* Jobs of kind "judge" and "draft" wait for models and have workers of their own, so that nothing else waits behind them. */
enum job_lane { LANE_GENERAL, LANE_MODELS };
/* Takes the lane's oldest job that is queued, or running with a lease that ran out, for `lease_s` seconds; counts the attempt first; a
 * job that was attempted three times fails for good. *got false: nothing to do. */
bool store_job_claim(struct store *s, enum job_lane lane, int lease_s, struct arena *a, struct job_row *out, bool *got, struct err *e);
/* That job, for a command line that runs it itself: a server that starts leaves it its lease. *got false: it has ended or somebody else runs it. */
bool store_job_claim_id(struct store *s, struct slice id, int lease_s, struct arena *a, struct job_row *out, bool *got, struct err *e);
/* Both of a job as it was claimed: once the lease is over and somebody else has claimed it, what the first one says counts no more.
 * Lengthens the lease and stores progress. *cancelled: somebody asked for its end, or has taken it over. */
bool store_job_progress(struct store *s, const struct job_row *job, struct slice progress, int lease_s, bool *cancelled, struct err *e);
/* As done, failed or cancelled. ERR_CONFLICT: taken over. */
bool store_job_finish(struct store *s, const struct job_row *job, enum job_state state, struct slice result, struct slice error, struct err *e);
/* Back in the queue, to begin at `begin_at` (clock_now_us) at the earliest, and says until it is begun `why` it waits (absent: it does not): the attempt does not count. *cancelled: somebody has
 * asked for its end, so that it stays as it is. ERR_CONFLICT: taken over. */
bool store_job_put_back(struct store *s, const struct job_row *job, int64_t begin_at, struct slice why, bool *cancelled, struct err *e);
/* Puts every running job back in the queue, attempts counted, and queues a build where there is something to build: for a server that starts
 * and knows that no other one runs. *begun: jobs of the queue that were begun before and never came to an end. */
bool store_jobs_release(struct store *s, uint64_t *begun, struct err *e);
/* The clock was set back: what waits for its time waits a minute at most. Harmless at any time. */
bool store_jobs_rewind(struct store *s, struct err *e);
/* One that somebody ran who is gone (its lease is over) is JOB_QUEUED. */
bool store_job(struct store *s, struct slice id, struct arena *a, struct job_row *out, struct err *e);
/* `state` as job_state_name() has it, or absent for all. */
bool store_jobs(struct store *s, struct slice state, const struct page *page, struct arena *a, struct job_rows *out, struct err *e);
/* Of a queued or failed job at once (what a failed one kept is then given up); of a running one when it next looks.
 * ERR_CONFLICT: it is done or cancelled already, or a build, which goes on until what was accepted is built. */
bool store_job_cancel(struct store *s, struct slice id, struct err *e);
/* Puts a job that failed or was cancelled back in the queue, as if it had never begun. ERR_CONFLICT: it has not ended so; an upload that
 * was cancelled, whose bytes are gone; a build, which begins again by itself. */
bool store_job_retry(struct store *s, struct slice id, struct err *e);

#endif
