/* Text inside XML and HTML. */
#ifndef BASE_MARKUP_H
#define BASE_MARKUP_H

#include "base/str.h"

/* Appends `s` as text or as the value of a quoted attribute: what has a meaning there is escaped, and what XML 1.0 cannot hold (most control
 * characters, U+FFFE, U+FFFF, bytes that are not UTF-8) becomes U+FFFD. Line breaks and tabs are written as they are in text, as references in
 * an attribute, where a reader would make blanks of them. */
void markup_text(struct str *out, struct slice s);
void markup_attribute(struct str *out, struct slice s);

#endif
