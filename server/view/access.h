/* Who did what, as JSON. */
#ifndef VIEW_ACCESS_H
#define VIEW_ACCESS_H

#include "storage/access.h"
#include "view/view.h"

/* A row of the log of changes, without { and }. */
void view_change_members(struct jsonw *j, const struct audit_row *row);

/* What such rows say in detail of a token that is made and of what is set of a collection (absent fields are not): no texts that people wrote,
 * of which there is only that they changed. */
struct slice view_token_detail(struct arena *a, const struct token_row *wish);
struct slice view_collection_detail(struct arena *a, const struct collection_row *set);

/* "scopes": [...] */
void view_scopes(struct jsonw *j, unsigned set);

#endif
