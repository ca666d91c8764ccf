#include "view/view.h"

void view_search_hit(struct jsonw *j, const struct search_hit *hit)
{
    jsonw_object(j);
    jsonw_kstr(j, "run", hit->run);
    jsonw_kstr(j, "external_id", hit->external_id);
    jsonw_kstr(j, "collection", hit->collection);
    jsonw_kstr(j, "task_id", hit->task_id);
    jsonw_kstr(j, "model", hit->model);
    view_success(j, hit->success);
    jsonw_kint(j, "transcript", hit->transcript);
    jsonw_kint(j, "message", hit->message);
    jsonw_kstrz(j, "role", role_name(hit->role));
    jsonw_kstr(j, "tool", hit->tool);
    jsonw_kstr(j, "part", hit->part);
    jsonw_kint(j, "start", hit->start);
    jsonw_kint(j, "end", hit->end);
    jsonw_kstr(j, "line", hit->line);
    jsonw_kint(j, "line_start", hit->line_start);
    jsonw_end(j);
}

void view_search_facets(struct jsonw *j, const struct search_facets *facets)
{
    jsonw_object(j);
    jsonw_kint(j, "total", facets->total);
    jsonw_kbool(j, "complete", facets->complete);
    jsonw_kstr(j, "reason", facets->reason);
    jsonw_key(j, "facets");
    jsonw_array(j);
    for (enum search_field f = 0; f < SEARCH_FIELDS; f++) {
        jsonw_object(j);
        jsonw_kstrz(j, "field", search_field_name(f));
        jsonw_key(j, "values");
        jsonw_array(j);
        for (size_t i = 0; i < facets->fields[f].n; i++) {
            jsonw_object(j);
            jsonw_kstr(j, "value", facets->fields[f].values[i].value);
            jsonw_kint(j, "hits", facets->fields[f].values[i].hits);
            jsonw_end(j);
        }
        jsonw_end(j);
        jsonw_kint(j, "more", facets->fields[f].more);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_end(j);
}
