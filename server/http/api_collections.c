#include "http/api.h"
#include "http/held.h"
#include "http/kept.h"

#include "view/access.h"
#include "view/export.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

static bool answer_collection(struct request *r, struct answer *a, struct slice id, struct err *e)
{
    struct collection_row row;
    if (!store_collection(r->store, id, &r->arena, &row, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_collection(&j, &row);
    return true;
}

bool api_collections(struct request *r, struct answer *a, struct err *e)
{
    struct page page = api_page(r);
    struct collection_rows rows;
    if (!store_collections(r->store, &page, &r->arena, &rows, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_collection(&j, &rows.items[i]);
    api_list_end(&j, &rows.end);
    return true;
}

static struct collection_row collection_args(const struct request *r)
{
    return (struct collection_row){.name = arg_text(&r->args, "name"),
                                   .description = arg_text(&r->args, "description"),
                                   .metadata = arg_text(&r->args, "metadata"),
                                   .keep = arg_text(&r->args, "keep"),
                                   .quota = arg_text(&r->args, "quota")};
}

bool api_collection_add(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row = collection_args(r), out;
    r->who.actor.target = row.name;
    if (!store_collection_add(r->store, &row, &r->arena, &out, e))
        return false;
    answer_header(a, "Location", arena_printf(&r->arena, "/api/v1/collections/%.*s", SLICE_ARG(out.id)));
    return answer_collection(r, a, out.id, e);
}

bool api_collection(struct request *r, struct answer *a, struct err *e) { return answer_collection(r, a, r->path[0], e); }

bool api_collection_change(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row old, row = collection_args(r);
    if (!api_path_collection(r, &old, e))
        return false;
    r->who.actor.target = old.name;
    r->who.actor.detail = view_collection_detail(&r->arena, &row);
    return store_collection_change(r->store, old.id, &row, e) && answer_collection(r, a, old.id, e);
}

bool api_collection_delete(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    (void)a;
    if (!api_path_collection(r, &row, e))
        return false;
    r->who.actor.target = row.name;
    r->who.actor.detail = arena_printf(&r->arena, "{\"id\":\"%.*s\",\"runs\":%" PRId64 "}", SLICE_ARG(row.id), row.runs);
    return store_collection_delete(r->store, row.id, e);
}

bool api_summary(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    struct summary summary;
    int64_t version;
    if (!api_path_collection(r, &row, e) || !store_version(r->store, row.id, &version, e))
        return false;
    if (kept_take(r->server, row.id, version, &a->body))
        return true;
    if (!store_summary(r->store, row.id, &r->arena, &summary, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_summary(&j, &summary);
    kept_put(r->server, row.id, version, str_slice(&a->body)); /* of this version or of one that came meanwhile, never of an older one */
    return true;
}

bool api_tasks(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    struct page page = api_page(r);
    struct task_rows rows;
    if (!api_path_collection(r, &row, e))
        return false;
    struct filter filter;
    if (!api_filter(&r->args, row.id, &filter, e) || !store_tasks(r->store, &filter, &page, &r->arena, &rows, e))
        return false;
    struct jsonw j = api_list(a);
    for (size_t i = 0; i < rows.n; i++)
        view_task(&j, &rows.items[i]);
    api_list_end(&j, &rows.end);
    return true;
}

bool api_task(struct request *r, struct answer *a, struct err *e)
{
    enum { FINDINGS_OF_TASK = 100 };
    struct collection_row row;
    struct task_detail detail;
    struct finding_rows about;
    struct filter filter = FILTER_ANY;
    if (!api_path_collection(r, &row, e) || !store_task_detail(r->store, row.id, r->path[1], &r->arena, &detail, e))
        return false;
    filter.collection = row.id;
    filter.task = r->path[1];
    filter.scope = slice_str("task");
    if (!store_findings(r->store, &filter, &(struct page){.limit = FINDINGS_OF_TASK}, &r->arena, &about, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_task_detail(&j, &detail, &about, &r->arena);
    return true;
}

/* ---- export: to a file without a name first, since it may be larger than memory ---------------------------------------- */

struct export_file {
    const struct request *request;
    struct answer *answer;
};

static bool write_file(void *ctx, struct slice bytes, struct err *e)
{
    struct export_file *f = ctx;
    if (request_unwanted(f->request))
        return err_set(e, ERR_BUSY, "the server stops");
    while (bytes.len) {
        ssize_t n = write(f->answer->fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "cannot write the export");
        f->answer->fd_size += (uint64_t)n;
        held_grow((uint64_t)n);
        bytes = slice_sub(bytes, (size_t)n, bytes.len);
    }
    return true;
}

/* A name made fit for a quoted string in a header: what is not plain becomes _. */
static struct slice header_word(struct arena *a, struct slice name)
{
    char *p = arena_strdup(a, slice_cut(name, 100));
    for (char *c = p; *c; c++)
        if (*c < ' ' || *c > '~' || strchr("\"\\/%", *c))
            *c = '_';
    return slice_str(p);
}

static bool export_runs(struct request *r, struct answer *a, const struct collection_row *row, struct filter *filter, struct err *e)
{
    struct slice as = arg_text(&r->args, "as");
    const struct export_kind *kind = &export_kinds[0];
    for (size_t i = 0; i < export_kind_count; i++)
        if (slice_is(as, export_kinds[i].name))
            kind = &export_kinds[i];
    a->fd = held_open(&r->server->spool, e);
    struct export_file file = {.request = r, .answer = a};
    const struct export_sink sink = {.write = write_file, .ctx = &file};
    if (a->fd < 0 || !kind->write(r->store, filter, &sink, e))
        return false;
    a->type = kind->media_type;
    answer_header(a, "Content-Disposition", arena_printf(&r->arena, "attachment; filename=\"%.*s.%s\"",
                                                         SLICE_ARG(header_word(&r->arena, row->name)), kind->extension));
    return true;
}

bool api_export(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    struct filter filter;
    return api_path_collection(r, &row, e) && api_filter(&r->args, row.id, &filter, e) && export_runs(r, a, &row, &filter, e);
}

bool api_export_some(struct request *r, struct answer *a, struct err *e)
{
    const struct arg *ids = arg_find(&r->args, "ids");
    struct collection_row row;
    struct filter filter;
    if (!api_path_collection(r, &row, e) || !api_filter(&r->filter, row.id, &filter, e))
        return false;
    if (ids) {
        filter.ids = ids->items;
        filter.nids = ids->n;
    }
    return export_runs(r, a, &row, &filter, e);
}
