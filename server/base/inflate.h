/* Unpacks what comes in pieces: bodies of requests, as Content-Encoding names them. (Files on disk are unpacked by
 * ingest/archive.c, which asks for bytes where this is given them.) */
#ifndef BASE_INFLATE_H
#define BASE_INFLATE_H

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct inflate;

/* `coding`: "gzip", "x-gzip" or "zstd", in any case. NULL: another word. */
struct inflate *inflate_new(struct slice coding);
void inflate_free(struct inflate *i);
/* The memory that it takes now, in bytes: with the first bytes of a frame it may grow by what that asks for, 8 MB at most. */
size_t inflate_size(const struct inflate *i);
/* Unpacks the next bytes and hands on what they give, in pieces, up to about 256 KB in a call, so that others get their turn: *n is then how
 * many of the bytes it took, not 0, and the others are to be given again. False: they are damaged (ERR_FORMAT), they unpack to over 1 MB and
 * a thousand times their size (ERR_TOO_LARGE), or `take` said so (its e). */
bool inflate_add(struct inflate *i, const char *bytes, size_t *n, bool (*take)(void *ctx, const char *bytes, size_t n, struct err *e), void *ctx,
                 struct err *e);
/* After the last piece. False: it was cut short (ERR_FORMAT). */
bool inflate_end(const struct inflate *i, struct err *e);

#endif
