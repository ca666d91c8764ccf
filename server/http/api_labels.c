#include "http/api.h"
#include "judge/agree.h"
#include "view/labels.h"

bool api_labels(struct request *r, struct answer *a, struct err *e)
{
    struct label_filter filter = {.set = arg_text(&r->args, "set"), .run = arg_text(&r->args, "run"), .who = arg_text(&r->args, "who")};
    const struct page page = api_page(r);
    struct label_rows rows;
    if (!api_collection_id(r, arg_text(&r->args, "collection"), &filter.collection, e) ||
        !store_labels(r->store, &filter, &page, &r->arena, &rows, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_label(&j, &rows.items[i]);
    api_list_end(&j, &rows.end);
    return true;
}

/* ---- giving labels ----------------------------------------------------------------------------------------------------- */

/* The run of an id, or, with a collection, of the name that its source gave it. */
static bool find_run(struct request *r, const struct jvalue *v, struct slice *out, struct err *e)
{
    struct slice name = jtext(jget(v, "run")), collection = jstr(jget(v, "collection"));
    struct run_names names;
    if (!name.len)
        return err_set(e, ERR_USAGE, "a label needs a \"run\": its id, or with a \"collection\" the id that its source gave it");
    if (uuid_valid(name) || !collection.ptr) {
        *out = name;
        return true;
    }
    if (!api_collection_id(r, collection, &collection, e) || !store_run_names(r->store, collection, name, &r->arena, &names, e))
        return false;
    if (names.n != 1)
        return err_set(e, names.n ? ERR_CONFLICT : ERR_NOT_FOUND, "%s called \"%.*s\" in that collection",
                       names.n ? "there are several runs" : "no run is", SLICE_ARG(slice_cut(name, 200)));
    *out = names.items[0].id;
    return true;
}

static bool read_label(struct request *r, const struct jvalue *v, struct label_row *out, struct err *e)
{
    struct label_set set;
    struct label_schema *schema;
    struct err none = {0};
    *out = (struct label_row){.set = jstr(jget(v, "set")), .who = jstr(jget(v, "who")), .split = jstr(jget(v, "split"))};
    if (!jis(v, J_OBJECT) || !out->set.len || out->set.len > 200 || !jget(v, "value"))
        return err_set(e, ERR_USAGE, "a label is {\"run\", \"set\", \"value\"} and may have \"who\", \"split\" and \"collection\"");
    if (out->who.len > 200)
        return err_set(e, ERR_USAGE, "\"who\" has at most 200 bytes");
    if (out->split.ptr && !slice_is(out->split, "dev") && !slice_is(out->split, "test"))
        return err_set(e, ERR_USAGE, "\"split\" must be dev or test");
    out->who = out->who.len ? out->who : SLICE_NONE;
    if (!store_label_set(r->store, out->set, &r->arena, &set, &none))
        set = (struct label_set){.name = out->set};
    if (!find_run(r, v, &out->run, e) || !label_schema_open(r->store, &set, &r->arena, &schema, e))
        return false;
    bool ok = label_value(schema, jraw(&r->arena, jget(v, "value")), &r->arena, &out->value, e);
    label_schema_close(schema);
    return ok;
}

/* The row that stands now: what was put, or was there already. */
static bool stored(struct request *r, const struct label_row *label, struct label_row *out, struct err *e)
{
    const struct label_filter filter = {.set = label->set, .run = label->run, .who = label->who.ptr ? label->who : slice_str(""),
                                        .value = label->value};
    const struct page page = {.limit = 1};
    struct label_rows rows;
    if (!store_labels(r->store, &filter, &page, &r->arena, &rows, e))
        return false;
    if (rows.n) {
        *out = rows.items[0];
        return true;
    }
    return err_set(e, ERR_CONFLICT, "the label was taken back by somebody else in the same moment; give it again");
}

enum { LABELS_AT_ONCE = 1000 };

bool api_label_add(struct request *r, struct answer *a, struct err *e)
{
    struct jvalue *body;
    if (!api_json(r, str_slice(&r->body), &body, e))
        return false;
    const struct jvalue *list = jget(body, "labels");
    size_t n = list ? list->n : 1;
    if (list && (list->type != J_ARRAY || !n || n > LABELS_AT_ONCE))
        return err_set(e, ERR_USAGE, "\"labels\" must be a list of 1 to %d labels; more are imported", LABELS_AT_ONCE);
    struct label_row *rows = arena_array(&r->arena, struct label_row, n);
    uint64_t added, changed;
    for (size_t i = 0; i < n; i++)
        if (!read_label(r, list ? &list->items[i] : body, &rows[i], e))
            return list ? err_prefix(e, "label %zu of %zu", i + 1, n) : false;
    if (!store_labels_put(r->store, rows, n, &added, &changed, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kint(&j, "added", (int64_t)added);
    jsonw_kint(&j, "changed", (int64_t)changed);
    jsonw_key(&j, "labels");
    jsonw_array(&j);
    for (size_t i = 0; i < n; i++) {
        struct label_row row;
        if (!stored(r, &rows[i], &row, e))
            return false;
        view_label(&j, &row);
    }
    jsonw_end(&j);
    jsonw_end(&j);
    return true;
}

bool api_label_delete(struct request *r, struct answer *a, struct err *e)
{
    (void)a;
    return store_label_delete(r->store, r->path[0], e);
}

/* ---- sets -------------------------------------------------------------------------------------------------------------- */

bool api_label_sets(struct request *r, struct answer *a, struct err *e)
{
    struct slice collection;
    struct label_sets sets;
    if (!api_collection_id(r, arg_text(&r->args, "collection"), &collection, e) ||
        !store_label_sets(r->store, collection, &r->arena, &sets, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < sets.n; i++)
        view_label_set(&j, &sets.items[i]);
    api_list_end(&j, &(struct page_end){.total = (int64_t)sets.n});
    return true;
}

static bool show_set(struct request *r, struct answer *a, struct slice name, struct err *e)
{
    struct label_set set;
    if (!store_label_set(r->store, name, &r->arena, &set, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_label_set(&j, &set);
    return true;
}

bool api_label_set(struct request *r, struct answer *a, struct err *e) { return show_set(r, a, r->path[0], e); }

/* What the arguments say, over what there is. A schema has to be one. */
static bool set_args(struct request *r, struct label_set *set, struct err *e)
{
    const struct { const char *name; struct slice *to; } texts[] = {
        {"title", &set->title}, {"description", &set->description}, {"rubric", &set->rubric}, {"schema", &set->schema}};
    const struct arg *share = arg_find(&r->args, "test_share");
    struct slice reading = arg_text(&r->args, "reading");
    struct label_schema *schema;
    double number;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (arg_find(&r->args, texts[i].name))
            *texts[i].to = arg_text(&r->args, texts[i].name);
    if (reading.ptr)
        set->reading = slice_is(reading, "all") ? READING_ALL : READING_ONE;
    if (share && rating_number(share->text, &number))
        set->test_share = number;
    struct rubric_row row;
    if (set->rubric.ptr && !store_rubric(r->store, set->rubric, 0, &r->arena, &row, e))
        return false;
    if (!label_schema_open(r->store, set, &r->arena, &schema, e))
        return err_prefix(e, "\"schema\"");
    label_schema_close(schema);
    return true;
}

bool api_label_set_add(struct request *r, struct answer *a, struct err *e)
{
    struct label_set set = {.name = arg_text(&r->args, "name"), .test_share = 0.5};
    return set_args(r, &set, e) && store_label_set_add(r->store, &set, e) && show_set(r, a, set.name, e);
}

bool api_label_set_change(struct request *r, struct answer *a, struct err *e)
{
    struct label_set was, set;
    if (!store_label_set(r->store, r->path[0], &r->arena, &was, e))
        return false;
    set = was;
    return set_args(r, &set, e) && store_label_set_change(r->store, &was, &set, e) && show_set(r, a, set.name, e);
}

bool api_label_set_delete(struct request *r, struct answer *a, struct err *e)
{
    (void)a;
    return store_label_set_delete(r->store, r->path[0], e);
}

/* ---- imports and exports ----------------------------------------------------------------------------------------------- */

bool api_labels_import(struct request *r, struct answer *a, struct err *e)
{
    struct labels_ask ask = {.set = arg_text(&r->args, "set"), .who = arg_text(&r->args, "who")};
    struct labels_done done;
    labels_format_parse(arg_text(&r->args, "format"), &ask.format);
    if (!api_collection_id(r, arg_text(&r->args, "collection"), &ask.collection, e) ||
        !labels_import(r->store, &ask, str_slice(&r->body), &r->arena, &done, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_labels_done(&j, &done);
    return true;
}

bool api_labels_export(struct request *r, struct answer *a, struct err *e)
{
    struct slice collection, as = arg_text(&r->args, "as");
    enum labels_export form = LABELS_AS_JSONL;
    if (as.ptr)
        labels_export_parse(as, &form);
    if (!api_collection_id(r, arg_text(&r->args, "collection"), &collection, e) ||
        !labels_export(r->store, arg_text(&r->args, "set"), collection, form, &a->body, e))
        return false;
    bool csv = form == LABELS_AS_CSV;
    a->type = csv ? "text/csv; charset=utf-8" : "application/jsonl";
    answer_header(a, "Content-Disposition", slice_str(csv ? "attachment; filename=\"labels.csv\"" : "attachment; filename=\"labels.jsonl\""));
    return true;
}
