/* Writes JSON text into a buffer. Every answer of the API, every --json output and every export goes through here.
 *
 *     struct jsonw j = jsonw_to(&buffer);
 *     jsonw_object(&j); jsonw_key(&j, "runs"); jsonw_int(&j, 3); jsonw_end(&j);      →  {"runs":3}
 *
 * Commas are placed by the writer. Strings are UTF-8; a byte sequence that is not becomes U+FFFD. */
#ifndef BASE_JSONW_H
#define BASE_JSONW_H

#include "base/slice.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { JSONW_DEPTH = 64 };

struct jsonw {
    struct str *out;
    int depth;
    bool comma[JSONW_DEPTH];  /* something was written at this level */
    bool array[JSONW_DEPTH];
    bool after_key;
};

struct jsonw jsonw_to(struct str *out);
void jsonw_object(struct jsonw *j);
void jsonw_array(struct jsonw *j);
void jsonw_end(struct jsonw *j); /* closes the innermost object or array */
void jsonw_key(struct jsonw *j, const char *key); /* one that needs no escape: a name of ours, not of the data */
void jsonw_key_slice(struct jsonw *j, struct slice key);
void jsonw_str(struct jsonw *j, struct slice s);  /* absent slice → null */
void jsonw_strz(struct jsonw *j, const char *z);  /* NULL → null */
void jsonw_int(struct jsonw *j, int64_t n);
void jsonw_num(struct jsonw *j, double x);        /* shortest text that reads back the same; NaN and infinities → null */
void jsonw_bool(struct jsonw *j, bool b);
void jsonw_null(struct jsonw *j);
/* Text that is JSON already; absent → null. The caller vouches for it. */
void jsonw_raw(struct jsonw *j, struct slice json);

/* key + value in one */
void jsonw_kstr(struct jsonw *j, const char *key, struct slice s);
void jsonw_kstrz(struct jsonw *j, const char *key, const char *z);
void jsonw_kint(struct jsonw *j, const char *key, int64_t n);
void jsonw_knum(struct jsonw *j, const char *key, double x);
void jsonw_kbool(struct jsonw *j, const char *key, bool b);
void jsonw_kraw(struct jsonw *j, const char *key, struct slice json);

/* Appends the escaped form of s, without the quotes. */
void jsonw_escape(struct str *out, struct slice s);

#endif
