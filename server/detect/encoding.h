/* Texts that hold another text in an encoding that agents meet and hand in unread. */
#ifndef DETECT_ENCODING_H
#define DETECT_ENCODING_H

#include "base/arena.h"

enum encoding {
    ENCODING_HEX,       /* 68690a, 0x68690a */
    ENCODING_BASE64,
    ENCODING_MARKS,     /* %41, \x41, &amp; anywhere in it */
    ENCODING_ROT13,
    ENCODING_BACKWARDS,
    ENCODINGS
};

/* What stands in it; absent where it is no such text. */
struct slice encoding_read(struct arena *a, enum encoding e, struct slice text);

#endif
