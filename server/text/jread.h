/* The ingest JSON reader: bytes → a read-only tree in an arena. Reads what real loggers write, repairs what JSON forbids,
 * counts each repair, and is bounded in depth, nodes and size. (jansson refuses lone surrogates, NaN, a BOM, big
 * integers and NUL, all of which occur in real transcripts, and parses 15 times slower.) */
#ifndef TEXT_JREAD_H
#define TEXT_JREAD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum jtype { J_NULL, J_FALSE, J_TRUE, J_NUMBER, J_STRING, J_ARRAY, J_OBJECT };

struct jvalue {
    enum jtype type;
    bool repaired;         /* this value or one inside it was repaired: `raw` is not valid JSON */
    bool lines;            /* `raw` goes over more than one line */
    uint32_t n;            /* children of an array, members of an object */
    struct slice text;     /* J_STRING: unescaped UTF-8. J_NUMBER: the digits as written */
    struct slice raw;      /* the bytes of the whole value in the input, which must outlive the tree */
    struct jvalue *items;  /* array children or member values, in order */
    struct slice *keys;    /* object: the n member names, unescaped */
};

/* What was mended, by kind; the names are in jrepair_names. */
enum jrepair {
    JREPAIR_SURROGATE,     /* a lone surrogate → U+FFFD */
    JREPAIR_UTF8,          /* invalid UTF-8 → U+FFFD */
    JREPAIR_NAN,           /* NaN, Infinity, -Infinity → null */
    JREPAIR_CONTROL,       /* a raw control character inside a string, kept */
    JREPAIR_ESCAPE,        /* an unknown escape such as \x, kept as written */
    JREPAIR_DUPLICATE_KEY, /* a key twice in one object: both are kept, jget() finds the last */
    JREPAIR_NUMBER,        /* 01, 1., +1, .5: kept as a string of its characters */
    JREPAIR_BOM,           /* a byte-order mark at the start, dropped */
    JREPAIR_COUNT,
};
extern const char *const jrepair_names[JREPAIR_COUNT];

struct jrepairs {
    uint64_t count[JREPAIR_COUNT];
};

struct jlimits {
    uint32_t depth;   /* default 512 */
    uint64_t nodes;   /* default 4 Mi: about 500 MB at the worst, while one container that holds them all ends */
};
extern const struct jlimits jlimits_default;

/* Parses exactly one value that fills `bytes` (white space around it is allowed). The tree and its unescaped strings
 * live in `a`; strings without escapes point into `bytes`. On a syntax error: ERR_FORMAT with the byte offset and what
 * was expected; over a limit: ERR_TOO_LARGE. `repairs` is added to (may be NULL). Thread-safe. */
bool jread(struct arena *a, struct slice bytes, const struct jlimits *limits, struct jrepairs *repairs, struct jvalue **out,
           struct err *e);

/* Text that is no JSON, as a J_STRING: what is no UTF-8 in it becomes U+FFFD and is counted. `bytes` must outlive the value. */
struct jvalue *jstring(struct arena *a, struct slice bytes, struct jrepairs *repairs);

/* The last member of that name, or NULL; also NULL when v is NULL or no object. Linear for small objects; objects of
 * more than 16 members should be walked once instead of asked many times. */
const struct jvalue *jget_slice(const struct jvalue *v, struct slice key);
static inline const struct jvalue *jget(const struct jvalue *v, const char *key) { return jget_slice(v, slice_str(key)); }
/* A path of object keys: jpath(v, "info", "model_stats", NULL). */
const struct jvalue *jpath(const struct jvalue *v, ...) __attribute__((sentinel));
/* The i-th child or NULL. */
const struct jvalue *jat(const struct jvalue *v, size_t i);

static inline bool jis(const struct jvalue *v, enum jtype t) { return v && v->type == t; }
/* The text of a string; absent for anything else (jstr) or a number's digits too (jtext). */
struct slice jstr(const struct jvalue *v);
struct slice jtext(const struct jvalue *v);
/* Numbers. An integral value written as 1.0 or 1e3 counts; a numeric string does not. */
bool jint(const struct jvalue *v, int64_t *out);
bool jnum(const struct jvalue *v, double *out);
/* true/false only. */
bool jbool(const struct jvalue *v, bool *out);

/* Valid JSON text of a value, on one line: `raw` itself where it is that already, else written anew into the arena.
 * NULL v → absent. */
struct slice jraw(struct arena *a, const struct jvalue *v);
/* Appends the value as JSON text, on one line. */
void jwrite(struct str *out, const struct jvalue *v);
/* JSON text of an object holding every member of `v` whose key is not in `known` (NULL-terminated list); absent if none is
 * left. This is how fields without a place of their own reach `metadata`. */
struct slice jrest(struct arena *a, const struct jvalue *v, const char *const known[]);

/* ---- streaming ---------------------------------------------------------------------------------------------------- */

/* Finds where one JSON value ends, fed in pieces: for cutting a stream into values without building them.
 * Zero-initialise; keeps no bytes. */
struct jscan {
    uint32_t depth;
    uint8_t state, string, escape;
};
/* Looks at bytes[0, len). Returns the offset just past the end of the value when it ends in this piece; -1 when more
 * is needed. Leading white space and a byte-order mark belong to the value. A bare scalar ends before the byte that
 * cannot belong to it; one of , : ] } where a value should begin is a value of its own, which jread() will refuse. After
 * the end, zero it for the next value. */
ptrdiff_t jscan_feed(struct jscan *s, const char *bytes, size_t len);

#endif
