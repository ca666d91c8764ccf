/* Bytes as base64 text (RFC 4648, with padding). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/str.h"

void base64_add(struct str *out, struct slice bytes);
/* The bytes of base64 text as others write it: also URL-safe, without padding, over several lines. Absent where it is none. */
struct slice base64_read(struct arena *a, struct slice text);

#endif
