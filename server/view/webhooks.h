/* Webhooks as JSON. */
#ifndef VIEW_WEBHOOKS_H
#define VIEW_WEBHOOKS_H

#include "base/jsonw.h"
#include "storage/webhooks.h"

/* `secret`: shown once, when it is made; else absent, and not a member. */
void view_webhook(struct jsonw *j, const struct webhook_row *row, struct slice secret);
void view_delivery(struct jsonw *j, const struct delivery_row *row);

#endif
