#include "http/api.h"

/* A map that was drawn in another way, or of other runs, is shown until there is a newer one. */
static void write_map(struct jsonw *j, const struct atlas_points *map, const struct atlas_colours *colours, struct slice field)
{
    jsonw_object(j);
    jsonw_kbool(j, "stale", map->stale);
    jsonw_kstr(j, "made_at", map->made_at);
    jsonw_kraw(j, "about", map->about);
    jsonw_kint(j, "scale", ATLAS_SCALE);
    jsonw_key(j, "runs");
    jsonw_array(j);
    for (size_t i = 0; i < map->n; i++)
        jsonw_str(j, map->items[i].run);
    jsonw_end(j);
    for (size_t axis = 0; axis < 2; axis++) {
        jsonw_key(j, axis ? "y" : "x");
        jsonw_array(j);
        for (size_t i = 0; i < map->n; i++)
            jsonw_int(j, map->items[i].at[axis]);
        jsonw_end(j);
    }
    jsonw_kstr(j, "field", field);
    jsonw_key(j, "words");
    jsonw_array(j);
    for (uint32_t w = 1; w <= colours->nwords; w++)
        jsonw_str(j, colours->words[w]);
    jsonw_end(j);
    jsonw_key(j, "values");
    jsonw_array(j);
    for (size_t i = 0; i < colours->n; i++)
        if (colours->numbers)
            jsonw_num(j, colours->numbers[i]);
        else
            jsonw_int(j, colours->codes[i]);
    jsonw_end(j);
    jsonw_kbool(j, "numbers", colours->numbers != NULL);
    jsonw_key(j, "shown");
    jsonw_array(j);
    for (size_t i = 0; i < colours->n; i++)
        jsonw_int(j, colours->shown[i]);
    jsonw_end(j);
    jsonw_end(j);
}

bool api_map(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row collection;
    struct atlas_points map;
    struct atlas_colours colours;
    struct slice field = arg_text(&r->args, "field");
    if (!field.len)
        field = slice_str("model");
    struct filter filter;
    if (!api_path_collection(r, &collection, e) || !api_filter(&r->args, collection.id, &filter, e) ||
        !store_atlas(r->store, collection.id, &r->arena, &map, e) ||
        !store_atlas_colours(r->store, &filter, field, &map, &r->arena, &colours, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    write_map(&j, &map, &colours, field);
    return true;
}

bool api_map_make(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row collection;
    if (!api_path_collection(r, &collection, e))
        return false;
    const struct job_row job = {.kind = slice_str("map"), .collection = collection.id, .payload = slice_str("{}")};
    return api_add_job(r, a, &job, e);
}
