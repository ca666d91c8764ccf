#include "base/inflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    PIECE = 1 << 16,
    RATIO = 1000,
    RATIO_FROM = 1 << 20,  /* bytes unpacked before the ratio counts: a small body may shrink as much as it likes */
    AT_ONCE = 256 << 10,   /* unpacked in one call, about */
    WINDOW_LOG = 23,       /* 8 MB: what RFC 9659 lets a sender ask for; the library would take 128 MB a connection */
    ANY_GZIP = 15 + 16,    /* zlib's windowBits for the largest window, with a gzip header */
    GZIP_BYTES = 40 << 10, /* what zlib takes for it: the window, and 7 KB (zconf.h) */
};

struct inflate {
    ZSTD_DStream *zstd;    /* NULL: gzip */
    z_stream gzip;
    uint64_t in, out;
    bool whole;            /* what came so far ends where a frame does */
};

struct inflate *inflate_new(struct slice coding)
{
    bool zstd = slice_eq_nocase(coding, slice_str("zstd"));
    if (!zstd && !slice_eq_nocase(coding, slice_str("gzip")) && !slice_eq_nocase(coding, slice_str("x-gzip")))
        return NULL;
    struct inflate *i = calloc(1, sizeof *i);
    if (!i || (zstd && (!(i->zstd = ZSTD_createDStream()) || ZSTD_isError(ZSTD_DCtx_setParameter(i->zstd, ZSTD_d_windowLogMax, WINDOW_LOG)))) || (!zstd && inflateInit2(&i->gzip, ANY_GZIP) != Z_OK))
        abort();
    return i;
}

void inflate_free(struct inflate *i)
{
    if (!i)
        return;
    if (i->zstd)
        ZSTD_freeDStream(i->zstd);
    else
        inflateEnd(&i->gzip);
    free(i);
}

size_t inflate_size(const struct inflate *i) { return sizeof *i + (i->zstd ? ZSTD_sizeof_DStream(i->zstd) : GZIP_BYTES); }

/* One step: takes some of in[0, *n), fills some of the piece. */
static bool step(struct inflate *i, const char **in, size_t *n, char piece[PIECE], size_t *made, struct err *e)
{
    if (i->zstd) {
        ZSTD_inBuffer from = {*in, *n, 0};
        ZSTD_outBuffer to = {piece, PIECE, 0};
        size_t left = ZSTD_decompressStream(i->zstd, &to, &from);
        if (ZSTD_isError(left) && ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge)
            return err_set(e, ERR_FORMAT, "the body needs a window of over 8 MB to be unpacked: compress it without --long and --ultra");
        if (ZSTD_isError(left))
            return err_set(e, ERR_FORMAT, "the body is damaged: %s", ZSTD_getErrorName(left));
        if (from.pos || to.pos) /* asked for more where a frame has ended, it speaks of the next one */
            i->whole = left == 0;
        *in += from.pos;
        *n -= from.pos;
        *made = to.pos;
        return true;
    }
    if (i->whole && *n) { /* another member follows */
        inflateReset(&i->gzip);
        i->whole = false;
    }
    uInt most = *n < UINT32_MAX ? (uInt)*n : UINT32_MAX;
    i->gzip.next_in = (Bytef *)(uintptr_t)*in;
    i->gzip.avail_in = most;
    i->gzip.next_out = (Bytef *)piece;
    i->gzip.avail_out = PIECE;
    int got = inflate(&i->gzip, Z_NO_FLUSH);
    if (got != Z_OK && got != Z_STREAM_END && got != Z_BUF_ERROR)
        return err_set(e, ERR_FORMAT, "the body is damaged: %s", i->gzip.msg ? i->gzip.msg : "no gzip");
    i->whole = got == Z_STREAM_END;
    *in += most - i->gzip.avail_in;
    *n -= most - i->gzip.avail_in;
    *made = PIECE - i->gzip.avail_out;
    return true;
}

bool inflate_add(struct inflate *i, const char *bytes, size_t *n, bool (*take)(void *ctx, const char *bytes, size_t n, struct err *e), void *ctx,
                 struct err *e)
{
    char piece[PIECE];
    size_t made = 0, all = 0, left = *n;
    /* A full piece may have been cut by its size: there may be more without more input, though no more than a block of 128 KB. */
    while (left ? all < AT_ONCE : made == PIECE) {
        const size_t before = left;
        if (!step(i, &bytes, &left, piece, &made, e))
            return false;
        i->in += before - left;
        i->out += made;
        all += made;
        if (i->out > RATIO_FROM && i->out / RATIO > i->in)
            return err_set(e, ERR_TOO_LARGE, "the body unpacks to over %d times its size", RATIO);
        if (made && !take(ctx, piece, made, e))
            return false;
    }
    *n -= left;
    return true;
}

bool inflate_end(const struct inflate *i, struct err *e)
{
    return i->whole || err_set(e, ERR_FORMAT, "the body ends in the middle of what is packed in it");
}
