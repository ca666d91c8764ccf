/* Private: a run between put.c, which prepares it, and the rows that it becomes. */
#ifndef STORAGE_RUN_WRITE_H
#define STORAGE_RUN_WRITE_H

#include "storage/finding_write.h"
#include "storage/pack.h"
#include "transcript/actions.h"
#include "transcript/judgment.h"

/* What is prepared: small texts as they are, others as numbers that wait in the pack. */
struct slim_score {
    struct slice name, value;
    int64_t answer, target, explanation, metadata;
};
struct slim_transcript {
    struct slice id, parent, name;
    int64_t metadata, first, messages;
};
struct slim_message {
    int32_t transcript;
    enum role role;
    int64_t bytes, text, reasoning, error, metadata, first_call, calls;
    int64_t duration_ms, tokens_in, tokens_out;
    struct slice model, timestamp, finish_reason, tool_call_id, tool_name;
};
struct slim_call {
    int64_t message, position, arguments, metadata;
    struct slice name, call_id, parse_error;
};
struct slim_blob {
    int64_t message;
    struct blob blob;
};

struct prepared {
    struct put_name name;
    struct run run;          /* without scores, transcripts and findings; id: the source's UUID or absent */
    struct slice gist;
    struct slim_score *scores;
    struct slim_transcript *transcripts;
    struct slim_message *messages;
    struct slim_call *calls;
    struct slim_blob *blobs;
    size_t nscores, ntranscripts, nmessages, ncalls, nblobs;
    int64_t bytes;           /* of all that it says, unpacked, and of its images */
    struct findings findings;
    struct incomplete *incomplete;
    size_t nincomplete;
    struct run_digest digest;
    bool carried;            /* the findings come from an export */
    struct judgments judgments; /* likewise */
};

/* Where a run goes. */
struct place {
    int64_t collection, imported;
    enum put_outcome outcome; /* PUT_NEW or PUT_UPDATED */
    int64_t run;              /* PUT_UPDATED: the key of the row to replace */
    struct slice id;          /* PUT_NEW: the run's UUID */
    bool grows;               /* PUT_UPDATED: the run says all that it said, and more */
    bool reworded;            /* PUT_UPDATED: the run says the same in other words, and what was found and said of it is not touched */
};

/* Both in a write transaction that ends with blocks_sweep.
 * Writes the rows of a run, after pack_settle. A replaced run keeps its id, what was said of it by hand, and
 * the reviews of findings that are made again. */
bool run_write(struct store *s, struct pack *pack, const struct prepared *p, const struct place *place, struct err *e);
/* One more way to write one that is there, of a put for its collection: what it says now takes the place of what it said. No finding, judgment, label,
 * file or time of it changes. The put is empty before and after. */
bool run_reword(struct put *p, int64_t key, int64_t imported, const struct put_name *name, const struct run *run, struct err *e);
/* A run and all that is of it goes. */
bool run_remove(struct store *s, int64_t run, struct err *e);
/* Those of them that are still there, by key, with the sweep; *deleted grows by them. */
bool runs_remove(struct store *s, const int64_t *runs, size_t n, uint64_t *deleted, struct err *e);

#endif
