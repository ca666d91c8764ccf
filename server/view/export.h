/* The runs of a collection as one stream of bytes, for `telltale export` and GET /collections/{c}/export alike. The filter names the
 * collection, and with it all of its runs or some. */
#ifndef VIEW_EXPORT_H
#define VIEW_EXPORT_H

#include "base/err.h"
#include "base/slice.h"
#include "storage/store.h"

/* Takes the next bytes; false (with e set) ends the export: the disk is full, or nobody wants it any more. */
struct export_sink {
    bool (*write)(void *ctx, struct slice bytes, struct err *e);
    void *ctx;
};

/* JSON Lines: {"telltale": 1, "collection"}, a line a rubric's version and a label set that the runs were judged by or
 * labelled in, a line a run with its messages, findings, reviews, labels and judgments, a line a blob, and a line for each
 * finding that belongs to no run. Import into an empty database and export again gives the same bytes. Holds one run at a time. Of some
 * of the runs, findings about tasks and the collection are left out: they speak of runs that are not there. */
bool export_native(struct store *s, const struct filter *f, const struct export_sink *sink, struct err *e);

/* A row a run (RFC 4180), its scores and finding counts in columns of their own. A cell that a spreadsheet would take for a formula
 * gets an apostrophe in front. */
bool export_csv(struct store *s, const struct filter *f, const struct export_sink *sink, struct err *e);

/* The story of the collection as one HTML file (view/story.h), or of some of its runs what was found there. Dismissed findings are left out
 * unless the filter names them. */
bool export_html(struct store *s, const struct filter *f, const struct export_sink *sink, struct err *e);

struct export_kind {
    const char *name, *media_type, *extension;
    bool (*write)(struct store *s, const struct filter *f, const struct export_sink *sink, struct err *e);
};
extern const struct export_kind export_kinds[];
extern const size_t export_kind_count;

#endif
