/* The door that Docent's SDK comes in by, under /rest: Docent(server_url=…) works as it is. Its api_key is a token of ours where the
 * server asks for one (access.h); else keys, cookies and passwords are taken and not looked at.
 *
 * Runs go the way of every upload. They keep the ids that the client gave them: an id that is no UUID, or that another collection has too, is
 * the run's external_id, and is what these calls know it by. */
#include "http/access.h"
#include "http/api.h"
#include "http/docent.h"

#include "base/hash.h"
#include "text/jread.h"
#include "view/access.h"

/* Under an SDK's own time limit (30 s), after which it would believe the runs lost. */
enum { WAIT_S = 10 };
static const struct slice door = SLICE_LIT("docent"); /* source.file of what came in here */
static const char user[] = "local";

/* ---- who am I ------------------------------------------------------------------------------------------------------- */

static void view_user(struct jsonw *j)
{
    jsonw_object(j);
    jsonw_kstrz(j, "id", user);
    jsonw_kstrz(j, "email", "");
    jsonw_kbool(j, "is_anonymous", false);
    jsonw_key(j, "organization_ids");
    jsonw_array(j);
    jsonw_end(j);
    jsonw_end(j);
}

bool docent_ping(struct request *r, struct answer *a, struct err *e)
{
    (void)r, (void)e;
    str_addz(&a->body, "{\"status\":\"ok\",\"message\":\"pong\"}");
    return true;
}

bool docent_key(struct request *r, struct answer *a, struct err *e)
{
    (void)e;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kstrz(&j, "message", access_is_closed(r->server->access) ? "the key is good" : "no key is needed here");
    jsonw_kstrz(&j, "user_id", user);
    jsonw_kbool(&j, "is_anonymous", false);
    jsonw_end(&j);
    return true;
}

bool docent_me(struct request *r, struct answer *a, struct err *e)
{
    (void)r, (void)e;
    struct jsonw j = jsonw_to(&a->body);
    view_user(&j);
    return true;
}

bool docent_login(struct request *r, struct answer *a, struct err *e)
{
    (void)r, (void)e;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_key(&j, "user");
    view_user(&j);
    jsonw_kstrz(&j, "session_id", user);
    jsonw_end(&j);
    return true;
}

/* ---- collections -------------------------------------------------------------------------------------------------------- */

static void view_docent_collection(struct jsonw *j, const struct collection_row *row)
{
    jsonw_object(j);
    jsonw_kstr(j, "id", row->id);
    jsonw_kstr(j, "name", row->name);
    jsonw_kstr(j, "description", row->description);
    jsonw_kraw(j, "metadata", row->metadata.ptr ? row->metadata : slice_str("{}"));
    jsonw_kstr(j, "created_at", row->created_at);
    jsonw_kstrz(j, "created_by", user);
    jsonw_end(j);
}

bool docent_collections(struct request *r, struct answer *a, struct err *e)
{
    struct page page = {.limit = 1000};
    struct jsonw j = jsonw_to(&a->body);
    jsonw_array(&j);
    do {
        struct collection_rows rows;
        if (!store_collections(r->store, &page, &r->arena, &rows, e))
            return false;
        for (size_t i = 0; i < rows.n; i++)
            view_docent_collection(&j, &rows.items[i]);
        page.after = rows.end.next;
    } while (page.after.ptr);
    jsonw_end(&j);
    return true;
}

/* Names are unique here and not there: the second of a name bears the beginning of its id too. */
bool docent_create(struct request *r, struct answer *a, struct err *e)
{
    char id[UUID_TEXT + 1];
    struct slice wanted = arg_text(&r->args, "collection_id"), name = arg_text(&r->args, "name");
    uuid_random(id);
    struct collection_row out, row = {
        .id = wanted.ptr ? wanted : slice_str(id),
        .name = name.len ? name : arena_printf(&r->arena, "Docent %.8s", wanted.ptr ? arena_strdup(&r->arena, wanted) : id),
        .description = arg_text(&r->args, "description"),
        .metadata = arg_text(&r->args, "metadata"),
    };
    if (!uuid_valid(row.id))
        return err_set(e, ERR_USAGE, "\"collection_id\" must be a UUID");
    struct err why = {0};
    if (store_collection(r->store, row.name, &r->arena, &out, &why))
        row.name = arena_printf(&r->arena, "%.*s (%.8s)", SLICE_ARG(slice_cut(row.name, 180)), arena_strdup(&r->arena, row.id));
    else if (why.code != ERR_NOT_FOUND)
        return *e = why, false;
    if (!store_collection_add(r->store, &row, &r->arena, &out, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kstr(&j, "collection_id", out.id);
    jsonw_end(&j);
    return true;
}

bool docent_collection(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    if (!api_path_collection(r, &row, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_docent_collection(&j, &row);
    return true;
}

bool docent_details(struct request *r, struct answer *a, struct err *e)
{
    struct err why = {0};
    if (docent_collection(r, a, &why))
        return true;
    if (why.code != ERR_NOT_FOUND)
        return *e = why, false;
    str_addz(&a->body, "null");
    return true;
}

bool docent_exists(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    struct err why = {0};
    bool found = api_path_collection(r, &row, &why);
    if (!found && why.code != ERR_NOT_FOUND)
        return *e = why, false;
    str_addz(&a->body, found ? "true" : "false");
    return true;
}

bool docent_permission(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    if (!api_path_collection(r, &row, e))
        return false;
    str_addz(&a->body, "{\"has_permission\":true}");
    return true;
}

bool docent_change(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row old, row = {
        .name = arg_text(&r->args, "name"), .description = arg_text(&r->args, "description"), .metadata = arg_text(&r->args, "metadata")};
    if (!api_path_collection(r, &old, e))
        return false;
    r->who.actor.target = old.name;
    r->who.actor.detail = view_collection_detail(&r->arena, &row);
    return store_collection_change(r->store, old.id, &row, e) && docent_collection(r, a, e);
}

bool docent_delete(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    if (!api_path_collection(r, &row, e) || !store_collection_delete(r->store, row.id, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kstrz(&j, "status", "success");
    jsonw_kstr(&j, "collection_id", row.id);
    jsonw_end(&j);
    return true;
}

/* Embeddings are Docent's way to find things; here everything can be found at once. */
bool docent_embeddings(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row row;
    if (!api_path_collection(r, &row, e))
        return false;
    str_addz(&a->body, "null");
    return true;
}

/* ---- putting runs in ------------------------------------------------------------------------------------------------------ */

static void view_docent_job(struct jsonw *j, const struct job_row *row)
{
    static const char *const states[] = { /* a client waits until it hears one of the last two words */
        [JOB_QUEUED] = "pending", [JOB_RUNNING] = "running", [JOB_DONE] = "completed", [JOB_FAILED] = "canceled", [JOB_CANCELLED] = "canceled",
    };
    jsonw_object(j);
    jsonw_kstr(j, "job_id", row->id);
    jsonw_kstrz(j, "status", states[row->state]);
    jsonw_kstrz(j, "type", "agent_run_ingest_job");
    jsonw_kstr(j, "created_at", row->created_at);
    jsonw_kraw(j, "result", row->result);
    jsonw_kstr(j, "error", row->error);
    jsonw_end(j);
}

/* Nothing of it could be read: the client must hear that from the call itself. */
static bool was_read(struct arena *a, const struct job_row *row, struct err *e)
{
    struct jvalue *result = NULL;
    int64_t landed = 0, n;
    if (row->state == JOB_FAILED || row->state == JOB_CANCELLED)
        return err_set(e, ERR_FORMAT, "%.*s", SLICE_ARG(row->error.ptr ? row->error : slice_str("the import was cancelled")));
    jread(a, row->result, NULL, NULL, &result, NULL);
    for (const char *const *kind = (const char *const[]){"new", "updated", "duplicate", NULL}; *kind; kind++)
        if (jint(jpath(result, "runs", *kind, NULL), &n))
            landed += n;
    struct slice why = jstr(jget(jat(jget(result, "errors"), 0), "message"));
    return landed || !why.ptr || err_set(e, ERR_FORMAT, "%.*s", SLICE_ARG(why));
}

bool docent_runs_add(struct request *r, struct answer *a, struct err *e)
{
    struct job_row row;
    bool later;
    if (!r->job.ptr) {
        struct collection_row collection;
        struct import_wish wish = {.filename = door, .format = slice_str("native")};
        if (!api_path_collection(r, &collection, e) || !api_take_upload(r, collection.id, &wish, e))
            return false;
    }
    if (!api_look(r, a, WAIT_S, &row, &later, e))
        return false;
    if (later)
        return true;
    if (api_ended(row.state) && !was_read(&r->arena, &row, e))
        return false;
    a->status = api_ended(row.state) ? 200 : 202;
    struct jsonw j = jsonw_to(&a->body);
    view_docent_job(&j, &row);
    return true;
}

/* Of this collection, and of these uploads. */
static bool find_job(struct request *r, struct slice id, struct job_row *row, struct err *e)
{
    struct collection_row collection;
    return api_path_collection(r, &collection, e) && store_job(r->store, id, &r->arena, row, e) && access_job(r, row, e) &&
           (slice_eq(row->collection, collection.id) || err_set(e, ERR_NOT_FOUND, "there is no job %.*s here", SLICE_ARG(id)));
}

bool docent_job(struct request *r, struct answer *a, struct err *e)
{
    struct job_row row;
    if (!find_job(r, r->path[1], &row, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    view_docent_job(&j, &row);
    return true;
}

bool docent_job_statuses(struct request *r, struct answer *a, struct err *e)
{
    const struct arg *ids = arg_find(&r->args, "job_ids");
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_key(&j, "jobs");
    jsonw_array(&j);
    for (size_t i = 0; i < ids->n; i++) {
        struct job_row row;
        if (!find_job(r, ids->items[i], &row, e))
            return false;
        view_docent_job(&j, &row);
    }
    jsonw_end(&j);
    jsonw_end(&j);
    return true;
}

/* ---- which run ------------------------------------------------------------------------------------------------------------ */

/* What a client knows a run by: what it called it itself, where it did. */
static struct slice id_of(struct slice id, struct slice external_id, struct slice file, struct slice location)
{
    bool given = external_id.ptr && (uuid_valid(external_id) || (slice_eq(file, door) && !slice_eq(external_id, file) && !slice_eq(external_id, location)));
    return given ? external_id : id;
}

/* The run of a collection that a client calls so; *found false: none. */
static bool find_run(struct request *r, struct slice collection, struct slice name, struct run_row *out, bool *found, struct err *e)
{
    struct run_names names;
    struct err why = {0};
    *found = uuid_valid(name) && store_run(r->store, name, &r->arena, out, &why) && slice_eq(out->collection, collection);
    if (*found || (why.code != ERR_NONE && why.code != ERR_NOT_FOUND))
        return *found || (*e = why, false);
    if (!store_run_names(r->store, collection, name, &r->arena, &names, e))
        return false;
    *found = names.n > 0;
    return !names.n || store_run(r->store, names.items[0].id, &r->arena, out, e);
}

bool docent_run_ids(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row collection;
    struct run_names names;
    if (!api_path_collection(r, &collection, e) || !store_run_names(r->store, collection.id, SLICE_NONE, &r->arena, &names, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    bool down = slice_is(arg_text(&r->args, "sort_direction"), "desc");
    jsonw_array(&j);
    for (size_t i = 0; i < names.n; i++) {
        const struct run_name *name = &names.items[down ? names.n - 1 - i : i];
        jsonw_str(&j, id_of(name->id, name->external_id, name->file, name->location));
    }
    jsonw_end(&j);
    return true;
}

bool docent_runs_delete(struct request *r, struct answer *a, struct err *e)
{
    const struct arg *ids = arg_find(&r->args, "agent_run_ids");
    struct collection_row collection;
    int64_t deleted = 0;
    if (!api_path_collection(r, &collection, e))
        return false;
    for (size_t i = 0; i < ids->n; i++) {
        struct run_row row;
        bool found;
        if (!find_run(r, collection.id, ids->items[i], &row, &found, e) || (found && !store_run_delete(r->store, row.run.id, e)))
            return false;
        deleted += found;
    }
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kint(&j, "deleted_count", deleted);
    jsonw_kint(&j, "requested_count", (int64_t)ids->n);
    jsonw_end(&j);
    return true;
}

/* ---- getting runs out ------------------------------------------------------------------------------------------------------ */

bool docent_run(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row collection;
    struct run_row row;
    struct run run;
    bool found;
    if (!api_path_collection(r, &collection, e) || !find_run(r, collection.id, arg_text(&r->args, "agent_run_id"), &row, &found, e))
        return false;
    if (!found) {
        str_addz(&a->body, "null");
        return true;
    }
    if (!store_run_load(r->store, row.run.id, &r->arena, &run, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    docent_view_run(&j, &r->arena, &run, id_of(run.id, run.external_id, run.source.file, run.source.location));
    return true;
}

bool docent_run_metadata(struct request *r, struct answer *a, struct err *e)
{
    const struct arg *ids = arg_find(&r->args, "agent_run_ids");
    struct collection_row collection;
    if (!api_path_collection(r, &collection, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    for (size_t i = 0; i < ids->n; i++) {
        struct run_row row;
        bool found;
        if (!find_run(r, collection.id, ids->items[i], &row, &found, e))
            return false;
        if (!found)
            continue;
        jsonw_key_slice(&j, ids->items[i]);
        docent_view_metadata(&j, &r->arena, &row.run);
    }
    jsonw_end(&j);
    return true;
}

/* ---- tags ----------------------------------------------------------------------------------------------------------------- */

/* A tag is known by its run and what it says. */
static void view_tags(struct jsonw *j, struct arena *a, const struct run_row *row, struct slice value)
{
    const struct run *run = &row->run;
    for (size_t i = 0; i < run->ntags; i++) {
        if (value.ptr && !slice_eq(run->tags[i], value))
            continue;
        char *hex = arena_alloc(a, 2 * run->tags[i].len + 1);
        hash_hex((const unsigned char *)run->tags[i].ptr, run->tags[i].len, hex);
        jsonw_object(j);
        jsonw_kstr(j, "id", arena_printf(a, "%.*s.%s", SLICE_ARG(run->id), hex));
        jsonw_kstr(j, "collection_id", row->collection);
        jsonw_kstr(j, "agent_run_id", id_of(run->id, run->external_id, run->source.file, run->source.location));
        jsonw_kstr(j, "value", run->tags[i]);
        jsonw_kstrz(j, "created_by", user);
        jsonw_end(j);
    }
}

/* The run of this collection that a client calls so; ERR_NOT_FOUND. */
static bool need_run(struct request *r, struct slice name, struct run_row *row, struct err *e)
{
    struct collection_row collection;
    bool found;
    return api_path_collection(r, &collection, e) && find_run(r, collection.id, name, row, &found, e) &&
           (found || err_set(e, ERR_NOT_FOUND, "there is no run \"%.*s\" here", SLICE_ARG(slice_cut(name, 200))));
}

static bool change_tag(struct request *r, struct answer *a, struct slice run, struct slice value, bool add, struct err *e)
{
    uint64_t changed;
    struct filter filter = FILTER_ANY;
    filter.ids = &run;
    filter.nids = 1;
    str_addz(&a->body, "null");
    return store_tag(r->store, &filter, value, add, &changed, e) &&
           (add || changed || err_set(e, ERR_NOT_FOUND, "there is no such tag on run %.*s", SLICE_ARG(run)));
}

bool docent_tag_add(struct request *r, struct answer *a, struct err *e)
{
    struct run_row row;
    return need_run(r, arg_text(&r->args, "agent_run_id"), &row, e) && change_tag(r, a, row.run.id, arg_text(&r->args, "value"), true, e);
}

bool docent_tag_delete(struct request *r, struct answer *a, struct err *e)
{
    struct run_row row;
    struct slice id = r->path[1], hex = slice_sub(id, UUID_TEXT + 1, id.len);
    unsigned char *value = arena_alloc(&r->arena, hex.len / 2 + 1);
    if (id.len <= UUID_TEXT || id.ptr[UUID_TEXT] != '.' || !hash_unhex(hex, value, hex.len / 2))
        return err_set(e, ERR_NOT_FOUND, "there is no tag %.*s", SLICE_ARG(slice_cut(id, 200)));
    return need_run(r, slice_sub(id, 0, UUID_TEXT), &row, e) &&
           change_tag(r, a, row.run.id, slice_of((const char *)value, hex.len / 2), false, e);
}

bool docent_run_tags(struct request *r, struct answer *a, struct err *e)
{
    struct run_row row;
    if (!need_run(r, r->path[1], &row, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_array(&j);
    view_tags(&j, &r->arena, &row, SLICE_NONE);
    jsonw_end(&j);
    return true;
}

bool docent_tags(struct request *r, struct answer *a, struct err *e)
{
    struct collection_row collection;
    struct page page = {.limit = 1000};
    struct slice value = arg_text(&r->args, "value");
    if (!api_path_collection(r, &collection, e))
        return false;
    struct filter filter = FILTER_ANY;
    filter.collection = collection.id;
    filter.tag = value;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_array(&j);
    do {
        struct run_rows rows;
        if (!store_runs(r->store, &filter, &page, &r->arena, &rows, e))
            return false;
        for (size_t i = 0; i < rows.n; i++)
            view_tags(&j, &r->arena, &rows.items[i], value);
        page.after = rows.end.next;
    } while (page.after.ptr);
    jsonw_end(&j);
    return true;
}
