/* A number as people write it. */
#ifndef DETECT_QUANTITY_H
#define DETECT_QUANTITY_H

#include "base/slice.h"

struct quantity {
    double value;
    size_t decimals;   /* digits behind the point as written; 9 for a fraction */
    struct slice unit; /* what stands behind it, at most 24 bytes without a digit; may be empty */
};

/* 1,000.0, $5, 30 %, 7 km, 2e6, 3/4, three, 1.5 million: the whole text must be one. */
bool quantity_read(struct slice s, struct quantity *out);

#endif
