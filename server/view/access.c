#include "view/access.h"

enum { DETAIL_MAX = 1 << 20 };

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

void view_scopes(struct jsonw *j, unsigned set)
{
    jsonw_key(j, "scopes");
    jsonw_array(j);
    for (int i = 0; i < SCOPES; i++)
        if (set >> i & 1)
            jsonw_strz(j, scope_names[i]);
    jsonw_end(j);
}

static struct slice detail_end(struct arena *a, struct jsonw *j, struct str *text)
{
    jsonw_end(j);
    struct slice detail = text->full ? SLICE_NONE : arena_dup(a, str_slice(text));
    str_free(text);
    return detail;
}

struct slice view_token_detail(struct arena *a, const struct token_row *wish)
{
    struct str text = STR_INIT(DETAIL_MAX);
    struct jsonw j = jsonw_to(&text);
    jsonw_object(&j);
    view_scopes(&j, wish->scopes);
    if (wish->bound) {
        jsonw_key(&j, "collections");
        jsonw_array(&j);
        for (size_t i = 0; i < wish->collections.n; i++)
            jsonw_str(&j, wish->collections.items[i]);
        jsonw_end(&j);
    }
    if (wish->rate)
        jsonw_kint(&j, "rate", wish->rate);
    if (wish->upload_max)
        jsonw_kint(&j, "max_upload_mb", wish->upload_max >> 20);
    if (wish->expires)
        view_time(&j, "expires_at", wish->expires);
    return detail_end(a, &j, &text);
}

struct slice view_collection_detail(struct arena *a, const struct collection_row *set)
{
    const struct { const char *name; struct slice value; bool told; } fields[] = {
        {"name", set->name, true}, {"description", set->description, false}, {"metadata", set->metadata, false},
        {"keep", set->keep, true}, {"quota", set->quota, true},
    };
    struct str text = STR_INIT(DETAIL_MAX);
    struct jsonw j = jsonw_to(&text);
    jsonw_object(&j);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].value.ptr && fields[i].told)
            jsonw_kstr(&j, fields[i].name, fields[i].value);
        else if (fields[i].value.ptr)
            jsonw_kstrz(&j, fields[i].name, "changed");
    }
    return detail_end(a, &j, &text);
}
