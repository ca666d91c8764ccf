/* The canonical run: what every format is read into, every detector looks at, and the store keeps.
 *
 * Plain structs in one arena. Absent text is a slice with a NULL ptr; absent numbers are COUNT_UNKNOWN or NAN.
 * "JSON text" is valid UTF-8 JSON. Names follow Docent's AgentRun, Inspect's ChatMessage and OpenTelemetry's gen_ai.*. */
#ifndef TRANSCRIPT_RUN_H
#define TRANSCRIPT_RUN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/slice.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum role { ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL };
enum { ROLE_COUNT = 4 };

enum verdict { VERDICT_FAILED, VERDICT_PASSED, VERDICT_UNKNOWN }; /* a run's success: false, true, null */

#define COUNT_UNKNOWN INT64_C(-1)

struct findings;
struct judgments;

struct score {
    struct slice name;
    struct slice value;       /* JSON text: a number, a bool, a string, or what the source has */
    struct slice answer;      /* what the run gave */
    struct slice target;      /* what was expected; JSON text of a list where there are several */
    struct slice explanation;
    struct slice metadata;    /* JSON text of an object */
};

struct tool_call {
    struct slice call_id, name;
    struct slice arguments;   /* JSON text; the raw text where it is not JSON, and then parse_error is set */
    struct slice parse_error;
    struct slice metadata;    /* JSON text of an object */
    unsigned char digest[HASH_SIZE]; /* of arguments, by run_content_hash(); zero: none */
};

struct blob { /* an image or another binary part */
    struct slice media_type;
    struct slice bytes;       /* decoded; absent for one that the source only refers to */
    struct slice url;         /* where the source refers to it */
    uint64_t size;            /* of the decoded bytes */
    unsigned char sha256[SHA256_SIZE];
};

struct message {
    enum role role;
    struct slice text, reasoning;
    unsigned char digest[HASH_SIZE]; /* of text, by run_content_hash(); zero: none */
    struct slice model;
    struct slice timestamp;   /* clock.h */
    int64_t duration_ms, tokens_in, tokens_out;
    struct slice finish_reason;
    struct slice tool_call_id, tool_name; /* of a result: the call it answers */
    struct slice error;
    struct slice metadata;    /* JSON text of an object: every field of the source without a place of its own */
    struct tool_call *calls;
    size_t ncalls;
    struct blob *blobs;
    size_t nblobs;
};

struct transcript {
    struct slice id;          /* the source's own; else absent */
    struct slice parent;      /* id of the transcript that it was started from */
    struct slice name;
    struct slice metadata;
    struct message *messages;
    size_t nmessages;
};

/* What a person (or another tool) said of a run. Of a span of a message it is an object with the member "evidence", which has the members
 * of a finding's evidence: {"evidence": {"transcript": the transcript's id or, without one, its position as text, "message": index,
 * "part": "text", "start": byte, "end": byte, "quote": the bytes between them}, …}. What was said in words is its member "note". */
struct label {
    struct slice set;         /* label set */
    struct slice value;       /* JSON text */
    struct slice who;         /* absent: nobody is named */
    struct slice when;        /* clock.h; absent: at the import */
    struct slice split;       /* dev or test; absent: by the run's name */
};

struct source {
    struct slice file;        /* as people see it (product.md, "which run is which") */
    struct slice location;    /* "line 12", "samples/3_epoch_1.json", "[4]"; absent: the whole file */
    struct slice member;      /* the file in an archive that it was read from, if it was: tells runs apart, is not stored */
    struct slice format;
};

struct run {
    struct slice id;          /* a UUID of the source's; else absent until storage names the run */
    struct slice external_id, name, task_id, model, agent;
    int64_t attempt;
    struct slice started_at, ended_at;
    enum verdict success;
    struct slice exit_status, error, limit;
    int64_t tokens_in, tokens_out;
    double cost_usd;
    struct slice *tags;
    size_t ntags;
    struct slice metadata;    /* JSON text of an object */
    struct source source;
    struct score *scores;
    size_t nscores;
    struct transcript *transcripts;
    size_t ntranscripts;
    struct label *labels;     /* that come with the source */
    size_t nlabels;
    struct findings *carried; /* of a run that comes from an export: its findings, taken over as they are; else NULL */
    struct judgments *judged; /* likewise what judges said of it */
};

/* A run, message or call with every absent number marked absent. */
void run_init(struct run *run);
void message_init(struct message *message);

const char *role_name(enum role role);
/* system, user, assistant, tool, and their other names in the field (developer, human, ai, gpt, model, function,
 * toolResult, …); false where the word names no role. */
bool role_parse(struct slice word, enum role *role);

/* A hash of everything that a run says: equal for equal content, whatever its source, id or place. What others say of the run (labels,
 * findings) is no part of it: a run that was labelled is the run that it was. Sets the digests of
 * long texts on its way, so that who stores them need not hash them again. */
void run_content_hash(struct run *run, unsigned char out[HASH_SIZE]);
enum { DIGEST_MIN = 64 }; /* bytes; shorter texts have none */

/* What one run may have of messages, of calls or attachments in one of them, and of scores: each takes memory that its bytes in the source
 * say little of. Readers stop adding one beyond it, so that run_fits() tells. */
enum { RUN_ITEMS = 500000 };
/* False: there is more of something (ERR_TOO_LARGE names the run, the thing and the limit). */
bool run_fits(const struct run *run, struct err *e);

/* How many messages and calls in all transcripts. */
size_t run_count_messages(const struct run *run);
size_t run_count_calls(const struct run *run);

#endif
