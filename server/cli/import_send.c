/* import --to: the files go to a server elsewhere, one upload each; those that belong together as one archive. What the server has already
 * is not sent again, so that the same command goes on where a broken one ended. */
#include "base/clock.h"
#include "base/temp.h"
#include "cli/import.h"
#include "client/client.h"
#include "ingest/archive.h"
#include "ingest/companions.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WINDOW = 4, WAIT_SECONDS = 20 }; /* uploads that the server may still work on while the next is sent */

struct upload {
    struct slice id, name;
    uint64_t bytes;
};

struct sender {
    struct cli *cli;
    struct client *client;
    const char *token;             /* NULL: none */
    struct slice collection, name; /* id; the other as people see it */
    const char *query;             /* what every upload asks for besides its filename */
    struct ingest_report *report;
    struct progress progress;
    int64_t started;
    struct upload window[WINDOW];  /* a ring */
    size_t first, n;
};

/* ---- the server's reports, added up ------------------------------------------------------------------------------------ */

static uint64_t number(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 ? (uint64_t)n : 0;
}

static struct slice words(struct arena *a, const json_t *value)
{
    return json_is_string(value) ? arena_dup(a, slice_of(json_string_value(value), json_string_length(value))) : SLICE_NONE;
}

static void add_error(struct sender *s, struct slice source, struct slice location, enum err_code code, struct slice message)
{
    struct ingest_report *r = s->report;
    struct arena *a = &s->cli->arena;
    if (r->nerrors == INGEST_ERRORS) {
        r->errors_more++;
        return;
    }
    r->errors = arena_grow(a, r->errors, r->nerrors, &r->errors_cap, sizeof *r->errors);
    r->errors[r->nerrors++] = (struct ingest_error){source, location, message, code};
}

static enum err_code code_named(const char *name)
{
    for (int code = ERR_NONE; code <= ERR_INTERNAL; code++)
        if (name && strcmp(err_name((enum err_code)code), name) == 0)
            return (enum err_code)code;
    return ERR_FORMAT;
}

static void add_format(struct ingest_report *r, const char *name, uint64_t runs)
{
    for (size_t i = 0; i < format_count; i++)
        if (name && strcmp(formats[i]->name, name) == 0)
            r->format_runs[i] += runs;
}

static void add_report(struct sender *s, const json_t *from)
{
    struct ingest_report *r = s->report;
    struct arena *a = &s->cli->arena;
    const json_t *files = json_object_get(from, "files"), *runs = json_object_get(from, "runs"), *item;
    const json_t *by_kind = json_object_get(json_object_get(from, "findings"), "by_kind");
    const char *key;
    size_t i;
    r->files_read += number(files, "read");
    r->files_skipped += number(files, "skipped");
    r->files_failed += number(files, "failed");
    r->runs[PUT_NEW] += number(runs, "new");
    r->runs[PUT_UPDATED] += number(runs, "updated");
    r->runs[PUT_DUPLICATE] += number(runs, "duplicate");
    r->rejected += number(runs, "rejected");
    r->messages += number(from, "messages");
    r->bytes += number(from, "bytes");
    r->errors_more += number(from, "errors_not_listed");
    for (int k = 0; k < KIND_COUNT; k++)
        r->findings[k] += number(by_kind, kind_name((enum kind)k));
    r->incomplete += number(from, "incomplete");
    for (int k = 0; k < JREPAIR_COUNT; k++)
        r->repairs.count[k] += number(json_object_get(from, "repairs"), jrepair_names[k]);
    json_object_foreach(json_object_get(from, "formats"), key, item)
        add_format(r, key, (uint64_t)json_integer_value(item));
    json_array_foreach(json_object_get(from, "errors"), i, item)
        add_error(s, words(a, json_object_get(item, "source")), words(a, json_object_get(item, "location")),
                  code_named(json_string_value(json_object_get(item, "code"))), words(a, json_object_get(item, "message")));
}

/* ---- one request ------------------------------------------------------------------------------------------------------- */

/* The answer is json_decref'd by the caller. */
static bool call(struct sender *s, const char *method, const char *path, const char *key, const struct client_body *body, int *status,
                 json_t **out, struct err *e)
{
    struct arena a = {0};
    struct slice answer;
    *out = NULL;
    bool ok = client_call(s->client, method, path, key, body, &a, status, &answer, e);
    if (!ok && *status == 401 && s->token) /* the server's own words are for every kind of client */
        err_prefix(e, "TELLTALE_TOKEN");
    else if (!ok && *status == 401)
        err_set(e, ERR_FORBIDDEN, "the server answered 401: it asks for a token, which the variable TELLTALE_TOKEN is to hold; `telltale token create` on its machine makes one");
    if (ok && !(*out = json_loadb(answer.ptr, answer.len, 0, NULL)))
        ok = err_set(e, ERR_IO, "that is no Telltale server: its answer is not JSON");
    arena_free(&a);
    return ok;
}

static bool find_collection(struct sender *s, struct err *e)
{
    struct arena *a = &s->cli->arena;
    int status;
    json_t *row;
    struct err why = {0};
    const char *path = arena_printf(a, "/api/v1/collections/%s", client_escape(s->client, a, s->name)).ptr;
    bool ok = call(s, "GET", path, NULL, NULL, &status, &row, &why);
    if (!ok && (status == 404 || status == 403)) { /* a token that only puts runs in may not look */
        json_t *wanted = json_pack("{s:s%}", "name", s->name.ptr, s->name.len);
        if (!wanted)
            return err_set(e, ERR_USAGE, "the name of the collection is no UTF-8");
        char *text = json_dumps(wanted, JSON_COMPACT);
        const struct client_body body = {.text = slice_str(text), .type = "application/json"};
        ok = call(s, "POST", "/api/v1/collections", NULL, &body, &status, &row, &why);
        free(text);
        json_decref(wanted);
    }
    if (ok)
        s->collection = words(a, json_object_get(row, "id"));
    else if (status == 409 || status == 403) { /* it is there, or who may not make one may still know one: the upload says */
        s->collection = slice_str(client_escape(s->client, a, s->name));
        ok = true;
    }
    json_decref(row);
    if (!ok)
        *e = why;
    return ok && (s->collection.len || err_set(e, ERR_IO, "that is no Telltale server: its collection has no id"));
}

static void tell(struct sender *s)
{
    s->report->seconds = (double)(clock_monotonic_us() - s->started) / 1e6;
    progress_show(&s->progress, s->report);
}

/* Waits for the oldest upload that the server works on, and adds its report. */
static bool finish_oldest(struct sender *s, struct err *e)
{
    struct upload *u = &s->window[s->first];
    struct arena *a = &s->cli->arena;
    const char *path = arena_printf(a, "/api/v1/uploads/%.*s?wait=%d", SLICE_ARG(u->id), WAIT_SECONDS).ptr;
    int status;
    json_t *job;
    for (;;) {
        if (!call(s, "GET", path, NULL, NULL, &status, &job, e))
            return false;
        const char *state = json_string_value(json_object_get(job, "state"));
        if (state && strcmp(state, "queued") != 0 && strcmp(state, "running") != 0)
            break;
        json_decref(job);
    }
    const json_t *result = json_object_get(job, "result"), *failure = json_object_get(job, "error");
    if (json_is_object(result)) {
        add_report(s, result);
    } else {
        s->report->files_failed++;
        add_error(s, u->name, SLICE_NONE, ERR_INTERNAL, json_is_string(failure) ? words(a, failure) : slice_str("the server did not finish it"));
    }
    json_decref(job);
    s->report->bytes_seen += u->bytes;
    s->first = (s->first + 1) % WINDOW;
    s->n--;
    tell(s);
    return true;
}

/* Sends `size` bytes of a file as one upload, under a key of its own: it is taken once, though an answer that was lost lets it be sent again.
 * A key made of its content would, in a later import, bring back the answer to this one, whatever became of its runs. */
static bool send_bytes(struct sender *s, struct slice name, int fd, uint64_t size, struct err *e)
{
    char key[UUID_TEXT + 1];
    struct arena *a = &s->cli->arena;
    const char *path = arena_printf(a, "/api/v1/collections/%.*s/uploads?filename=%s%s", SLICE_ARG(s->collection), client_escape(s->client, a, name),
                                    s->query).ptr;
    const struct client_body body = {.type = "application/octet-stream", .fd = fd, .size = size, .is_file = true};
    int status;
    json_t *job;
    if (s->n == WINDOW && !finish_oldest(s, e))
        return false;
    uuid_random(key);
    if (!call(s, "POST", path, key, &body, &status, &job, e)) {
        if (e->code == ERR_IO || e->code == ERR_FULL || e->code == ERR_CANCELLED)
            return false;
        s->report->files_failed++; /* this file's fault: the others may do better */
        add_error(s, name, SLICE_NONE, e->code, arena_dup(a, slice_str(e->text)));
        return true;
    }
    s->window[(s->first + s->n++) % WINDOW] = (struct upload){words(a, json_object_get(job, "id")), name, size};
    json_decref(job);
    return true;
}

/* Does the server have a file of these bytes? Then it counts as read, its runs as duplicates. */
static bool has_file(struct sender *s, const struct source_file *file, const char *hex, bool *known, struct err *e)
{
    struct arena a = {0};
    struct err why = {0};
    int status;
    json_t *row;
    const char *path = arena_printf(&a, "/api/v1/collections/%.*s/files/%s", SLICE_ARG(s->collection), hex).ptr;
    bool ok = call(s, "GET", path, NULL, NULL, &status, &row, &why);
    *known = ok && !number(row, "refused"); /* what was refused is refused, and named, again */
    if (*known) {
        s->report->files_read++;
        s->report->runs[PUT_DUPLICATE] += number(row, "runs");
        s->report->bytes += file->size;
        s->report->bytes_seen += file->size;
        add_format(s->report, json_string_value(json_object_get(row, "format")), number(row, "runs"));
        tell(s);
    }
    json_decref(row);
    arena_free(&a);
    if (!ok && status != 404)
        *e = why;
    return ok || status == 404;
}

static void add_failed(void *ctx, const struct source_file *file, const struct err *why)
{
    struct sender *s = ctx;
    s->report->files_failed++;
    add_error(s, file->name, SLICE_NONE, why->code, arena_dup(&s->cli->arena, slice_str(why->text)));
}

static bool send_file(struct sender *s, const struct source_file *file, struct err *e)
{
    struct source_limits limits = source_limits_default;
    unsigned char hash[HASH_SIZE];
    char hex[2 * HASH_SIZE + 1];
    struct source_input in;
    struct err why = {0};
    bool known = false;
    limits.cancel = &cli_stop;
    if (file->size == 0) {
        s->report->files_skipped++;
        add_error(s, file->name, SLICE_NONE, ERR_NOT_TRANSCRIPT, slice_str("an empty file"));
        return true;
    }
    if (!source_hash(file, &limits, hash, &why) || !source_open(file, &limits, &in, &why)) {
        if (why.code == ERR_CANCELLED)
            return *e = why, false;
        add_failed(s, file, &why);
        return true;
    }
    hash_hex(hash, HASH_SIZE, hex);
    bool ok = has_file(s, file, hex, &known, e) && (known || send_bytes(s, file->name, in.fd, file->size, e));
    source_input_close(&in);
    return ok;
}

/* The files that belong to others, and those to which they do. */
static bool send_together(struct sender *s, const struct source_files *files, struct err *e)
{
    struct arena *a = &s->cli->arena;
    const struct source_file **group = arena_array(a, const struct source_file *, files->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < files->n; i++)
        if (files->items[i].companion || files->items[i].has_companions)
            group[n++] = &files->items[i];
    if (!n)
        return true;
    const uint64_t failed = s->report->files_failed;
    int fd = temp_file(e); /* read by the window's uploads only while this sends it */
    bool ok = fd >= 0 && archive_pack(group, n, fd, add_failed, s, e);
    off_t size = ok ? lseek(fd, 0, SEEK_END) : 0;
    ok = ok && (s->report->files_failed - failed == n || send_bytes(s, slice_str(s->cli->args[0]), fd, (uint64_t)size, e));
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool send_all(struct sender *s, struct source_files *files, struct err *e)
{
    companions_mark(&s->cli->arena, files);
    s->report->files_total = files->n;
    for (size_t i = 0; i < files->n; i++)
        s->report->bytes_total += files->items[i].size;
    for (size_t i = 0; i < files->nerrors; i++)
        add_error(s, files->errors[i].name, SLICE_NONE, files->errors[i].code, files->errors[i].message);
    source_count_errors(files, &s->report->files_skipped, &s->report->files_failed);
    bool ok = find_collection(s, e) && send_together(s, files, e);
    for (size_t i = 0; i < files->n && ok; i++)
        if (!files->items[i].companion && !files->items[i].has_companions)
            ok = send_file(s, &files->items[i], e);
    while (ok && s->n)
        ok = finish_oldest(s, e);
    return ok;
}

/* A token that only puts runs in replaces none: what has changed becomes another run. An older server says nothing of it. */
static bool may_replace(struct sender *s)
{
    int status;
    json_t *session, *scope;
    struct err why = {0};
    size_t i;
    bool ok = call(s, "GET", "/api/v1/session", NULL, NULL, &status, &session, &why);
    const char *mode = json_string_value(json_object_get(session, "mode"));
    bool may = !ok || !mode || strcmp(mode, "closed") != 0 || !json_is_true(json_object_get(session, "signed_in"));
    json_array_foreach(json_object_get(session, "scopes"), i, scope)
        may |= json_string_value(scope) && strcmp(json_string_value(scope), "review") == 0;
    json_decref(session);
    return may;
}

static void say_waiting(void *ctx, const char *why)
{
    const struct sender *s = ctx;
    progress_end(&s->progress);
    if (!s->cli->quiet)
        fprintf(stderr, "telltale: %s\n", why);
}

bool import_send(struct cli *cli, const char *url, struct slice collection, struct source_files *files, bool replace,
                 struct ingest_report *report, struct collection_row *row, struct err *e)
{
    struct sender s = {.cli = cli, .name = collection, .report = report, .started = clock_monotonic_us()};
    struct arena *a = &cli->arena;
    const char *format = cli_option(cli, "format"), *map = cli_option(cli, "map"), *token = getenv("TELLTALE_TOKEN");
    s.token = token && *token ? token : NULL;
    *report = (struct ingest_report){.format_runs = arena_array(a, uint64_t, format_count)};
    if (!client_open(url, s.token, cli_option(cli, "cacert"), &cli_stop, say_waiting, &s, &s.client, e))
        return false;
    progress_begin(&s.progress, cli->quiet);
    s.query = arena_printf(a, "%s%s%s%s%s", replace && may_replace(&s) ? "&replace=1" : "", format ? "&format=" : "", format ? client_escape(s.client, a, slice_str(format)) : "",
                           map ? "&map=" : "", map ? client_escape(s.client, a, slice_str(map)) : "").ptr;
    bool ok = send_all(&s, files, e);
    progress_end(&s.progress);
    report->seconds = (double)(clock_monotonic_us() - s.started) / 1e6;
    *row = (struct collection_row){.id = s.collection, .name = collection};
    client_close(s.client);
    return ok;
}
