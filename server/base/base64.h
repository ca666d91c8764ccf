/* Bytes as base64 text (RFC 4648, with padding). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/slice.h"
#include "base/str.h"

void base64_add(struct str *out, struct slice bytes);

#endif
