#include "http/api.h"
#include "http/metrics.h"

#include "base/version.h"
#include "storage/access.h"
#include "storage/care.h"
#include "text/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static bool state(struct answer *a, const char *word)
{
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kstrz(&j, "status", word);
    jsonw_end(&j);
    return true;
}

bool api_health(struct request *r, struct answer *a, struct err *e)
{
    (void)r;
    (void)e;
    return state(a, "ok");
}

/* What a small upload takes, with its job's row and their pages in the write-ahead log. */
enum { ROOM_BYTES = 1 << 20 };

/* Some bytes where uploads go: what a disk says of its room is not always what it takes. A file system that reserves no room is asked for those
 * alone. */
static bool can_write(const struct spool *spool, struct err *e)
{
    static const char block[4096] = {0};
    int fd = spool_scratch(spool, e);
    if (fd < 0)
        return false;
    bool ok = write(fd, block, sizeof block) == (ssize_t)sizeof block && (fallocate(fd, 0, 0, ROOM_BYTES) == 0 || errno == EOPNOTSUPP);
    ok = ok || spool_refused(spool, e);
    close(fd);
    return ok;
}

bool api_ready(struct request *r, struct answer *a, struct err *e)
{
    const struct page page = {.limit = 1};
    struct collection_rows rows;
    if (atomic_load(&r->server->stopping))
        return err_set(e, ERR_BUSY, "the server stops");
    if (!store_collections(r->store, &page, &r->arena, &rows, e) || !can_write(&r->server->spool, e)) {
        e->code = ERR_BUSY; /* whatever it is, it is no reason to give up on the server */
        return false;
    }
    return state(a, "ready");
}

bool api_metrics(struct request *r, struct answer *a, struct err *e)
{
    (void)e;
    a->type = r->route->type;
    metrics_write(r->server, r->store, &r->arena, &a->body);
    return true;
}

static bool redacts(struct rulebook *rules)
{
    struct secrets *secrets = rulebook_secrets(rules);
    secrets_unref(secrets);
    return secrets;
}

bool api_reload(struct request *r, struct answer *a, struct err *e)
{
    struct err said = {0};
    if (!r->server->reload(r->server->reload_ctx, &said)) {
        *e = said;
        return false;
    }
    if (!store_log_action(r->store, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kstrz(&j, "status", "reloaded");
    jsonw_kbool(&j, "redact", redacts(r->server->rules));
    jsonw_kstr(&j, "waits", said.text[0] ? slice_str(said.text) : SLICE_NONE);
    jsonw_end(&j);
    return true;
}

/* In a dry run what there is to say is known at once. */
bool api_prune(struct request *r, struct answer *a, struct err *e)
{
    const struct limits *limits = r->server->limits;
    const struct prune_wish wish = {.keep = {.age_us = atomic_load(&limits->keep_age_us), .bytes = atomic_load(&limits->keep_bytes)}, .dry_run = true};
    struct pruned pruned = {0};
    bool dry = arg_bool(&r->args, "dry_run", false);
    if (dry ? !store_prune(r->store, &wish, &pruned, e) : !store_prune_queue(r->store, true, e))
        return false;
    if (!dry)
        jobs_wake(r->server->jobs);
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    if (dry) {
        jsonw_kint(&j, "deleted", (int64_t)pruned.deleted);
        jsonw_kint(&j, "spared", (int64_t)pruned.spared);
        jsonw_kint(&j, "over_bytes", pruned.over_bytes);
    }
    jsonw_end(&j);
    return true;
}

bool api_openapi(struct request *r, struct answer *a, struct err *e)
{
    (void)r;
    (void)e;
    openapi_write(&a->body);
    return true;
}

/* ---- what the files take ---------------------------------------------------------------------------------------------- */

struct waiting { uint64_t files, bytes; };

static void add_waiting(void *ctx, const char *id, uint64_t bytes)
{
    struct waiting *sum = ctx;
    (void)id;
    sum->files++;
    sum->bytes += bytes;
}

static int64_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

bool api_system(struct request *r, struct answer *a, struct err *e)
{
    const struct server *server = r->server;
    const char *path = strncmp(server->db, "sqlite:", 7) == 0 ? server->db + 7 : server->db;
    struct waiting waiting = {0};
    struct statvfs disk;
    if (!spool_each(&server->spool, add_waiting, &waiting, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    jsonw_kstrz(&j, "version", TELLTALE_VERSION);
    jsonw_kstrz(&j, "database", path);
    jsonw_kint(&j, "database_bytes", file_bytes(path));
    jsonw_kint(&j, "log_bytes", file_bytes(arena_printf(&r->arena, "%s-wal", path).ptr));
    jsonw_kint(&j, "waiting", (int64_t)waiting.files);
    jsonw_kint(&j, "waiting_bytes", (int64_t)waiting.bytes);
    jsonw_key(&j, "free_bytes");
    if (statvfs(server->spool.dir, &disk) == 0)
        jsonw_int(&j, (int64_t)(disk.f_bavail * disk.f_frsize));
    else
        jsonw_null(&j);
    jsonw_end(&j);
    return true;
}
