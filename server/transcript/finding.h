/* A finding: what was seen (behaviour), how (detector), and the exact words that show it (evidence). */
#ifndef TRANSCRIPT_FINDING_H
#define TRANSCRIPT_FINDING_H

#include "transcript/run.h"

enum kind { KIND_BROKEN_TASK, KIND_ODD_BEHAVIOR, KIND_NEAR_MISS, KIND_HARNESS, KIND_DATA };
enum { KIND_COUNT = 5 };
enum severity { SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH };
enum scope { SCOPE_RUN, SCOPE_TASK, SCOPE_COLLECTION };
enum finding_status { STATUS_OPEN, STATUS_CONFIRMED, STATUS_DISMISSED };

/* One row of the vocabulary. A name never changes its meaning. */
struct behavior {
    const char *name;
    enum kind kind;
    const char *seen_when;
};
extern const struct behavior behaviors[];
extern const size_t behavior_count;
const struct behavior *behavior_find(struct slice name); /* NULL: not in the vocabulary */

/* Where the words stand. In a run's own findings `run` is absent: it is that run. */
struct evidence {
    struct slice run;       /* UUID, in findings about a task or collection */
    int32_t transcript;     /* position in the run; -1 for a field of the run */
    struct slice transcript_id; /* the source's own, where it has one; what storage adds */
    int32_t message;        /* index in the transcript; -1 for a field of the run */
    struct slice part;      /* text, reasoning, error, call:N.name, call:N.arguments, run.exit_status, run.error,
                               run.limit, score:NAME.value|answer|target|explanation */
    uint32_t start, end;    /* bytes into the part's text */
    struct slice quote;     /* those bytes */
    double weight;          /* of a judge's evidence: share of the samples that cite it, 0..1; 0: no judge's */
};

struct finding {
    struct slice detector, version; /* rule id and the hash of the rule */
    struct slice behavior;
    enum kind kind;
    enum severity severity;
    double confidence;      /* 0..1 */
    struct slice title, message;
    enum scope scope;
    struct slice task_id;   /* of a task finding */
    struct slice captures;  /* JSON text of an object of strings: the rule's named groups */
    struct evidence *evidence;
    size_t nevidence;
    /* What storage adds, and what an export carries back in; detectors leave it zero. */
    struct slice id;          /* UUID, made from run or task, detector and evidence, so that it is stable */
    enum finding_status status;
    struct slice exception;   /* UUID of what set it aside; absent: nothing did. Its status then is dismissed, and nobody's review */
    struct slice reviewer, note, created_at;
};

/* A growing list in an arena. */
struct findings {
    struct finding *items;
    size_t n, cap;
};
struct finding *findings_add(struct arena *a, struct findings *list);
/* A copy with all its texts and evidence in the arena. */
void finding_copy(struct arena *a, const struct finding *from, struct finding *to);

const char *kind_name(enum kind kind);
const char *severity_name(enum severity severity);
const char *scope_name(enum scope scope);
const char *status_name(enum finding_status status);
bool kind_parse(struct slice word, enum kind *out);
bool severity_parse(struct slice word, enum severity *out);
bool scope_parse(struct slice word, enum scope *out);
bool status_parse(struct slice word, enum finding_status *out);

struct incomplete {         /* a detector that hit a limit on a run: listed, never silence */
    struct slice detector, reason;
};

/* The text that `part` names in a run (message NULL: a field of the run); absent where there is none. What evidence
 * offsets count in, for detectors, storage, exports and the check that evidence still holds. */
struct slice run_part(const struct run *run, const struct message *message, struct slice part);
/* Does evidence quote, word for word, what stands at its place? `message` is the one that it names. One without words quotes nothing. */
bool quote_stands(const struct evidence *ev, const struct run *run, const struct message *message);

#endif
