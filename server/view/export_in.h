/* Private: what exports share that write a collection run by run. */
#ifndef VIEW_EXPORT_IN_H
#define VIEW_EXPORT_IN_H

#include "view/export.h"

/* A line is handed on in pieces, so the buffer holds a message or a blob and never a whole run. */
enum { FLUSH_AT = 1 << 20 };
#define LINE_MAX_BYTES ((size_t)4 << 30)

struct out {
    const struct export_sink *sink;
    struct str buffer;
};
/* Hands on what is there, once it is `at` bytes or more. */
bool export_flush(struct out *o, size_t at, struct err *e);

struct walk {
    struct out out;
    struct store *s;
    const struct filter *filter;
    struct slice collection; /* id */
    bool whole;              /* all of its runs */
    struct arena keep;       /* as long as the export */
    struct arena one;        /* one run */
};
struct walk walk_of(struct store *s, const struct filter *f, const struct export_sink *sink);
/* The collection that the filter names. */
bool walk_start(struct walk *w, struct collection_row *row, struct err *e);
/* Calls `each` with the id of each run that the filter names; w->one is empty before. */
bool walk_runs(struct walk *w, bool (*each)(struct walk *w, struct slice id, struct err *e), struct err *e);
/* Gives back `ok`. */
bool walk_free(struct walk *w, bool ok);

#endif
