#include "view/access.h"

void view_change_members(struct jsonw *j, const struct audit_row *row)
{
    view_time(j, "at", row->at);
    jsonw_kstr(j, "actor", row->actor);
    jsonw_kstr(j, "token", row->token);
    jsonw_kstr(j, "address", row->address);
    jsonw_kstr(j, "action", row->action);
    jsonw_kstr(j, "target", row->target);
    jsonw_kraw(j, "detail", row->detail);
}
