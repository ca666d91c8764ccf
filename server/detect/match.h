/* One pass over a run: which events of which rules occur, where, and with what captures. */
#ifndef DETECT_MATCH_H
#define DETECT_MATCH_H

#include "detect/det.h"
#include "detect/ruleset.h"

struct occurrence {
    uint32_t order;             /* of the event in the run */
    int32_t transcript, message;
    uint32_t nth;
    enum event_kind kind;
    uint8_t nspans;
    bool set_aside;             /* by `except` */
    const struct finding *finding;  /* of EVENT_FINDING: its evidence stands for it */
    struct span *spans;         /* what its patterns matched, in the order of the rule; none: the event as a whole */
    struct slice *captures;     /* one for each of the rule's, absent where unbound; NULL where the rule has none */
    unsigned char (*keys)[HASH_SIZE]; /* one for each key of its event; all zero: it has none */
};
struct occurrences {
    struct occurrence *items;
    size_t n, cap;
};

struct found {                  /* one match of a pattern, groups behind it */
    uint32_t start, end;
    uint32_t *groups;           /* start, end by group number; UINT32_MAX: unset */
};

struct reach { uint32_t from, to; }; /* where a match can start */
enum { REACHES = 8 };

struct pattern_state {
    uint64_t seen;              /* the event in which its literal was last seen, … */
    struct slice near;          /* … and the text in which it was: only in these reaches of it can a match start */
    uint32_t nreaches;
    struct reach reaches[REACHES + 1]; /* one more to work in */
    uint64_t known;             /* the event for which `found` holds … */
    const char *text;           /* … and the text */
    size_t len;
    struct found *found;
    uint32_t nfound;
    uint64_t run;               /* the run that the next three are of */
    int64_t spent_us;
    uint64_t bytes;             /* looked into */
    bool off;                   /* hit a limit in this run: not asked again */
};

struct detect_scratch {
    struct arena arena;         /* of one run */
    struct arena event_arena;   /* of one event */
    struct regex_scratch *regex;
    const struct gramscan *gramscan;
    const struct ruleset *rs;
    struct view view;
    struct det_shared shared;
    int64_t regex_us;           /* of this run: spent on patterns, … */
    uint64_t regex_bytes;       /* … the bytes that they looked into, … */
    uint64_t work;              /* … and the comparisons of its conditions */
    uint64_t run, stamp;        /* never reset: what is of an older run or event is known by its number */
    struct pattern_state *patterns;
    size_t npatterns;
    struct occurrences *occurrences; /* by event */
    uint64_t *evaluated;
    size_t ndefs;
    size_t total;               /* occurrences in this run */
    uint32_t order;             /* of the run's last event */
    uint32_t *hits;
    size_t nhits;
    bool *on;                   /* by event: looked for in this pass … */
    bool *wanted;               /* … by pattern: one of them asks for it … */
    unsigned classes;           /* … texts in which literals of those are looked for … */
    unsigned busy;              /* … kinds that any of them is of, EVENT_BIT of each … */
    struct event_def **always[EVENT_KINDS]; /* … and those that no literal announces */
    size_t nalways[EVENT_KINDS];
    struct incomplete *incomplete;
    size_t nincomplete, incomplete_cap;
    uint64_t regex_calls;       /* since its birth, for tests */
};

/* What a run may cost, however many rules and whatever patterns. A limit that is met is listed (match_incomplete) for the rules that
 * it concerns, and the run goes on without that pattern. In microseconds of the wall clock; a long text has more, by its bytes:
 *   one look of a pattern into a text   LOOK_US + bytes / LOOK_BYTES
 *   a pattern in a run                  PATTERN_US + bytes that it looked into / LOOK_BYTES
 *   all patterns in a run               RUN_US + bytes that each looked into / RUN_BYTES; from then on a pattern may go on only
 *                                       while it has taken less than LITTLE_US + its bytes / LITTLE_BYTES, so that the slow ones
 *                                       stop and the others do not
 * A condition may make WORK_MAX comparisons in a run, and WORK_LITTLE once those of all rules have made RUN_WORK. */
enum {
    LOOK_US = 120000, PATTERN_US = 1000000, RUN_US = 2000000, LITTLE_US = 20000, LOOK_BYTES = 4, RUN_BYTES = 40, LITTLE_BYTES = 100,
    WORK_MAX = 20000000, WORK_LITTLE = 1000000, RUN_WORK = 200000000,
};

/* Fills s->occurrences from the run. Pointers in them live until the next run. */
void match_run(struct detect_scratch *s, const struct ruleset *rs, const struct run *run);
/* Adds what rules over findings see in `found`, after match_run; the findings stay where they are until the rules are solved. */
void match_findings(struct detect_scratch *s, const struct findings *found);
/* The key of an event; all zero where it has none. */
void key_make(struct view *v, const struct event *e, const struct key *key, unsigned char out[HASH_SIZE]);
/* Lists that a detector could not finish; once for each detector and reason. */
void match_incomplete(struct detect_scratch *s, struct slice detector, const char *reason);

#endif
