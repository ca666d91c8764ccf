/* Who did what, as JSON. */
#ifndef VIEW_ACCESS_H
#define VIEW_ACCESS_H

#include "storage/access.h"
#include "view/view.h"

/* A row of the log of changes, without { and }. */
void view_change_members(struct jsonw *j, const struct audit_row *row);

#endif
