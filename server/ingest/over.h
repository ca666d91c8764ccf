/* Private to ingest/: the rules that speak of a whole collection, after its runs have changed. */
#ifndef INGEST_OVER_H
#define INGEST_OVER_H

#include "ingest/ingest.h"

struct over_wish {
    struct slice collection;
    const struct ruleset *rules;
    const struct slice *only;       /* as in scan_options */
    size_t nonly;
    const atomic_bool *cancel;      /* may be NULL */
};
/* Looks, and stores what was found; adds it to findings[KIND_COUNT]. ERR_CANCELLED where `cancel` says so. */
bool over_run(struct store *s, const struct over_wish *wish, uint64_t *findings, bool *changed, struct err *e);
/* Where something has changed since the last look: now; or by a job of its own, always or (soon) where the collection is large beside the
 * `runs` that came, or others wait that will change it too. */
enum over_when { OVER_NOW, OVER_SOON, OVER_LATER };
bool over_after(struct store *s, const struct over_wish *wish, enum over_when when, uint64_t runs, uint64_t *findings, struct err *e);

#endif
