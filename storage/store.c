#include "storage/blocks.h"
#include "storage/check_index.h"
#include "storage/exception_match.h"
#include "storage/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *path_of(const char *url)
{
    static const char scheme[] = "sqlite:";
    return strncmp(url, scheme, sizeof scheme - 1) == 0 ? url + sizeof scheme - 1 : url;
}

bool store_has_log(const char *url) { return db_has_log(path_of(url)); }

void store_leave(const char *url) { db_leave(path_of(url)); }

bool store_open(const char *url, enum store_mode mode, struct store **out, struct err *e)
{
    const char *path = path_of(url);
    *out = NULL;
    if (!*path)
        return err_set(e, ERR_USAGE, "the name of the database is empty");
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->blocks = blocks_new();
    bool write = mode == STORE_WRITE;
    if (!db_open(path, write, &s->db, e) || !db_migrate(s->db, write, e) || !db_add_function(s->db, "text", blocks_text_function, s, e) ||
        !access_install(s, e) || (write && !index_build_missing(s, e))) {
        store_close(s);
        return false;
    }
    *out = s;
    return true;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    query_free(s->query);
    db_close(s->db);
    blocks_free(s->blocks);
    exceptions_free(s->exceptions);
    free(s->spool);
    free(s);
}

void store_break_off(struct store *s, const atomic_bool *stop)
{
    s->stop = stop;
    db_break_off(s->db, stop);
}

const char *store_path(const struct store *s) { return db_path(s->db); }

const char *store_spool_dir(struct store *s, struct err *e)
{
    if (!s->spool && asprintf(&s->spool, "%s.spool", db_path(s->db)) < 0)
        abort();
    if (mkdir(s->spool, 0700) != 0 && errno != EEXIST) {
        err_errno(e, "cannot make the folder %s", s->spool);
        return NULL;
    }
    return s->spool;
}
