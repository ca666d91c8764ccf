/* Byte scans of the JSON reader: plain C, and SSE2 and AVX2 where the processor has them, with the same results. */
#ifndef TEXT_SCAN_H
#define TEXT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Each looks at [p, end) and returns where the first byte of its kind stands, or `end`. Nothing outside is read. */
struct scan {
    const char *name;
    bool (*usable)(void); /* does this processor have the instructions? */
    const char *(*special)(const char *p, const char *end); /* " \ a control character (< 0x20) or a byte >= 0x80 */
    const char *(*quote)(const char *p, const char *end);   /* " \ */
    const char *(*bracket)(const char *p, const char *end); /* " [ ] { } */
    /* As special, and copies what stands before it to `out`, which must have room for end - p bytes (and may be
     * written that far). */
    const char *(*copy)(const char *p, const char *end, char *out);
};

extern const struct scan scans[]; /* the fastest last; the first is plain C */
extern const size_t scan_count;

/* The fastest usable row. Thread-safe. */
const struct scan *scan_best(void);

#endif
