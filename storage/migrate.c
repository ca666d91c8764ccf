#include "storage/db.h"

#include "base/embed.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char folder[] = "migrations/";

/* The number that a migration's name begins with; 0: this file is none. */
static int64_t number_of(const struct embedded *f)
{
    return strncmp(f->name, folder, sizeof folder - 1) == 0 ? strtol(f->name + sizeof folder - 1, NULL, 10) : 0;
}

static int64_t latest(void)
{
    int64_t version = 0;
    for (size_t i = 0; i < embedded_file_count; i++)
        if (number_of(&embedded_files[i]) > version)
            version = number_of(&embedded_files[i]);
    return version;
}

static bool ask(struct db *db, const char *sql, int64_t *out, struct err *e)
{
    struct stmt *q = db_prepare(db, sql, e);
    return stmt_int(q, out, e) == STEP_ROW;
}

/* The version of the database; refuses what is not ours and what is ahead of us. */
static bool version_of(struct db *db, int64_t *version, struct err *e)
{
    int64_t application, tables;
    if (!ask(db, "PRAGMA user_version", version, e) || !ask(db, "PRAGMA application_id", &application, e) ||
        !ask(db, "SELECT count(*) FROM sqlite_schema", &tables, e))
        return false;
    if (tables && application != DB_APPLICATION_ID)
        return err_set(e, ERR_CONFLICT, "%s is a SQLite database of another program; name another file", db_path(db));
    if (*version > latest())
        return err_set(e, ERR_NEWER, "%s was made by a newer telltale (its version is %lld, this program knows up to %lld); use that program",
                       db_path(db), (long long)*version, (long long)latest());
    return true;
}

static bool apply_missing(struct db *db, struct err *e)
{
    int64_t version;
    if (!version_of(db, &version, e))
        return false;
    for (size_t i = 0; i < embedded_file_count; i++) { /* by folder and name, so in the order of their numbers */
        const struct embedded *f = &embedded_files[i];
        if (number_of(f) <= version)
            continue;
        version = number_of(f);
        char stamp[64];
        snprintf(stamp, sizeof stamp, "PRAGMA user_version = %lld", (long long)version);
        if (!db_script(db, f->bytes.ptr, e) || !db_script(db, stamp, e))
            return err_prefix(e, "%s", f->name);
    }
    return true;
}

/* Older programs made it as everybody's files are made. Once, as it is brought up to date: what somebody allows others later is theirs to allow. */
static void close_to_others(struct db *db)
{
    static const char *const files[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[4096];
        struct stat st;
        if (snprintf(path, sizeof path, "%s%s", db_path(db), files[i]) >= (int)sizeof path || lstat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
            st.st_uid != geteuid() || !(st.st_mode & 077))
            continue;
        if (chmod(path, 0600) == 0)
            log_warn("%s was open to others; it is for its owner alone now", path);
    }
}

bool db_migrate(struct db *db, bool write, struct err *e)
{
    int64_t version;
    if (!version_of(db, &version, e))
        return false;
    if (version == latest())
        return true;
    if (!write)
        return err_set(e, ERR_CONFLICT, "%s was made by an older telltale; run `telltale import` or `telltale serve` on it once", db_path(db));
    /* The lock first: of two that start at the same time, one makes the file and the other finds it made. */
    if (!db_lock(db, e))
        return false;
    bool ok = db_format(db, e);
    db_unlock(db);
    if (ok && version)
        close_to_others(db);
    return ok && db_write(db, e) && db_end(db, apply_missing(db, e), e);
}
