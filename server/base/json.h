/* Writes JSON text into a buffer. Every answer of the API, every --json output and every export goes through here.
 *
 *     struct json j = json_to(&buffer);
 *     json_object(&j); json_key(&j, "runs"); json_int(&j, 3); json_end(&j);      →  {"runs":3}
 *
 * Commas are placed by the writer. Strings are UTF-8; a byte sequence that is not becomes U+FFFD. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/slice.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH = 64 };

struct json {
    struct str *out;
    int depth;
    bool comma[JSON_DEPTH];  /* something was written at this level */
    bool array[JSON_DEPTH];
    bool after_key;
};

struct json json_to(struct str *out);
void json_object(struct json *j);
void json_array(struct json *j);
void json_end(struct json *j); /* closes the innermost object or array */
void json_key(struct json *j, const char *key);
void json_key_slice(struct json *j, struct slice key);
void json_str(struct json *j, struct slice s);  /* absent slice → null */
void json_strz(struct json *j, const char *z);  /* NULL → null */
void json_int(struct json *j, int64_t n);
void json_num(struct json *j, double x);        /* shortest text that reads back the same; NaN and infinities → null */
void json_bool(struct json *j, bool b);
void json_null(struct json *j);
/* Text that is JSON already; absent → null. The caller vouches for it. */
void json_raw(struct json *j, struct slice json);

/* key + value in one */
void json_kstr(struct json *j, const char *key, struct slice s);
void json_kstrz(struct json *j, const char *key, const char *z);
void json_kint(struct json *j, const char *key, int64_t n);
void json_knum(struct json *j, const char *key, double x);
void json_kbool(struct json *j, const char *key, bool b);
void json_kraw(struct json *j, const char *key, struct slice json);

/* Appends the escaped form of s, without the quotes. */
void json_escape(struct str *out, struct slice s);

#endif
