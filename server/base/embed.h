/* Files that are inside the program: migrations/NNNN_name.sql, rules/NAME.yaml, rubrics/NAME.yaml, schema/NAME, report/NAME.css, sample/NAME,
 * docs/NAME.md, completion/SHELL, web/PATH (see deploy/embed.sh). */
#ifndef BASE_EMBED_H
#define BASE_EMBED_H

#include "base/slice.h"

struct embedded {
    const char *name;
    struct slice bytes; /* a NUL follows that does not count */
};
extern const struct embedded embedded_files[]; /* by folder, and by name within each */
extern const size_t embedded_file_count;

/* NULL: there is no such file. */
const struct embedded *embedded_find(const char *name);

#endif
