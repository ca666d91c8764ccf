/* Rule text → one JSON-like tree that remembers where each value stands. YAML through libyaml; JSON is read as the YAML that it is.
 * Anchors, aliases, tags and duplicate keys are refused: what a rule says must be readable where it stands. */
#ifndef TEXT_NODE_H
#define TEXT_NODE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "text/jread.h"

struct problem {            /* something wrong in a text that people write */
    struct slice file;
    int line, column;       /* from 1; 0 unknown */
    struct slice rule;      /* the id of the rule or rubric, where known */
    struct slice message;   /* what is wrong and what was expected */
};
struct problems {
    struct problem *items;
    size_t n, cap;
};

enum { NODE_MAP_MAX = 500, NODE_DEPTH_MAX = 48 };
enum node_type { NODE_NULL, NODE_BOOL, NODE_NUMBER, NODE_STRING, NODE_LIST, NODE_MAP };

struct node {
    enum node_type type;
    int line, column;      /* from 1 */
    struct slice text;     /* a scalar, as written but for quotes and escapes */
    double number;
    bool boolean;
    struct node *keys;     /* map: n strings … */
    struct node *items;    /* … and their n values; list: n items */
    size_t n;
};

/* Where a reading collects what is wrong. */
struct reader {
    struct arena *a;       /* what is read lives here */
    struct arena *report;  /* and problems here */
    struct problems *problems;
    struct slice file, rule;
    const char *one_map; /* the text is no list of rules but one map of keys: what is expected, in words; else NULL */
};

/* telltale.yaml is read in parts: by detect/settings.h, llm/models.h and the command line. */
#define SETTINGS_KEYS "rules", "disable", "enable", "detectors", "collections", "redact", "models", "keys", "serve"
#define SETTINGS_ONE_MAP "telltale.yaml is a map of keys (rules, disable, enable, detectors, collections, redact, models, keys, serve)"

/* Lists a problem at that place and returns false, so that a reader can `return node_problem(…)`. */
bool node_problem(struct reader *r, const struct node *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* One rule as it stands in its text. */
struct rule_text {
    struct node node;
    struct slice source;
};
struct rule_texts {
    struct rule_text *items;
    size_t n, cap;
};
/* All rules in a text: each document is a rule or a list of rules. One that cannot be read is a problem and stops no other. */
void node_read(struct reader *r, struct slice text, struct rule_texts *out);

/* A value that was read as JSON; its line is 1 and its column the byte at which it begins in the outermost value. False, with a problem: a key
 * stands twice in a map, there are more than NODE_MAP_MAX, or it is nested too deep. Texts are those of `v`. */
bool node_of_json(struct reader *r, const struct jvalue *v, struct node *out);

/* The byte at which a node stands in its text, of which that many lines came before. */
size_t node_offset(struct slice text, int lines_before, const struct node *node);

/* The value of a key, or NULL; also NULL where `map` is NULL or no map. */
const struct node *node_get(const struct node *map, const char *key);

/* Every key must be one of the NULL-terminated list; the first that is not is a problem that says what it may be meant to be. */
bool node_known_keys(struct reader *r, const struct node *map, const char *what, const char *const known[]);
/* "did you mean 'x'?" or "known are a, b, c", for a word that is none of them; in r->report. */
struct slice node_suggest(struct reader *r, struct slice word, const char *const known[]);

/* What a value is, in words ("a list", "the number 3"), for "expected … but this is …". */
const char *node_what(const struct node *node);
bool node_string(struct reader *r, const struct node *node, const char *what,
                 struct slice *out); /* numbers and bools are text too */

/* Of a map that a schema has checked: the value of a key, or what stands for it where there is none. */
struct slice node_text_of(const struct node *map, const char *key); /* absent */
double node_number_of(const struct node *map, const char *key, double otherwise);
int64_t node_count_of(const struct node *map, const char *key, int64_t otherwise);
bool node_flag_of(const struct node *map, const char *key, bool otherwise);

/* One or many: a list is its items, anything else a list of itself. */
size_t node_each(const struct node *node, const struct node **first);

/* A pattern that matches any of these texts (a list, or one) and nothing else: `(?:a\.b|c)`. */
void node_alternation(struct str *out, const struct node *texts);

/* JSON text with sorted keys, without the top-level key `without` (may be NULL): equal for what means the same. */
void node_canonical(struct str *out, const struct node *node, const char *without);

#endif
