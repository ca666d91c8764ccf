/* What a rule set is inside: compiled rules and code detectors by id, and the tables by which a passing text finds its patterns. */
#ifndef DETECT_RULESET_H
#define DETECT_RULESET_H

#include "detect/detect.h"
#include "detect/pack.h"
#include "detect/rule.h"
#include "text/gramscan.h"

#include <stdatomic.h>

struct literal_ref {        /* a literal whose rarest 4-gram falls into a bucket; what is asked first stands here, as buckets are met often */
    struct slice literal;
    uint32_t pattern;       /* its index */
    uint32_t gram;          /* where the 4-gram begins in the literal */
    uint32_t before;        /* bytes between the start of a match and the literal at most */
    bool lines;             /* with a newline among them, perhaps */
    unsigned classes;       /* of the pattern */
    unsigned char next;     /* the byte after the 4-gram; 0: the literal ends there */
};

struct ruleset {
    atomic_uint refs;
    struct ruleset *parent; /* of a part (ruleset_only): owns the rules */
    void (*let_go)(void *lender); /* called when the set ends, as it borrows texts of the lender; NULL: of nobody */
    void *lender;
    struct arena arena;
    const struct rule **rules;  /* n by id, and behind them nhelpers: rules over findings, of a part, ask for theirs */
    size_t n, nhelpers, cap;
    struct pattern_table patterns;      /* of the whole set; a part uses its parent's */
    /* made by link */
    struct gramset grams[CLASS_COUNT];  /* by class of text: the 4-grams of literals that are looked for in it; arguments: also in values */
    uint8_t follows[GRAM_BUCKETS];      /* which bytes may come behind a bucket's 4-grams: a bit for each value of their lowest three bits */
    uint32_t *bucket;                   /* GRAM_BUCKETS + 1 offsets into literals[] */
    struct literal_ref *literals;
    uint32_t *triggered;                /* patterns + 1 offsets into triggers[] */
    struct event_def **triggers;        /* events worth looking at once their pattern's literal was seen */
    struct event_def **record;          /* nrecord events that are about the run's record, and nothing else */
    size_t nrecord;
    size_t nalways[EVENT_KINDS];        /* events of a kind that are worth a look whatever its text says */
    unsigned classes;                   /* of texts in which any literal is looked for */
};

/* Whether a rule of the set looks: what a part names, it names on purpose. */
static inline bool ruleset_asks(const struct ruleset *rs, const struct rule *rule) { return rs->parent || rule->enabled; }

struct settings;

/* Compiles all rules of these files with those blocks of the settings (NULL: none) applied. Problems are listed in `report`. */
struct ruleset *ruleset_make(const struct pack_files *files, const struct settings *settings, uint64_t blocks, struct arena *report,
                             struct problems *problems);

#endif
