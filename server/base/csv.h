/* Cells of comma-separated values, RFC 4180. */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include "base/str.h"

/* Appends one cell, quoted where it must be. A text that a spreadsheet would take for a formula (and that is no number) gets an
 * apostrophe in front, because what an agent wrote must not run in somebody's spreadsheet. */
void csv_cell(struct str *out, struct slice s);

#endif
