#include "storage/db.h"
#include "storage/place.h"
#include "storage/ration.h"

#include "base/clock.h"
#include "transcript/run.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 16384,
    CACHE_KIB = 16384,         /* of each connection */
    LOCK_WAIT_US = 60000000,
    LOCK_STEP_US = 5000,       /* longest sleep between two tries */
    STATEMENTS_MAX = 256,      /* kept compiled; past it those not in use go */
    BUCKETS = 64,
    WAL_PASSIVE = 512,         /* pages: 8 MB */
    WAL_TRUNCATE = 16384,      /* pages: 256 MB; readers kept the passive ones from starting the file over */
    TRUNCATE_WAIT_MS = 100,
    STEPS_PER_LOOK = 4000,     /* of SQLite's machine, between two looks at db.stop */
};

struct stmt {
    sqlite3_stmt *raw;
    struct db *db;
    struct stmt *next;         /* of the same bucket */
    uint64_t hash;
    int bound, taken;
    int failed;                /* SQLite's code of the first bind that did not fit */
    bool busy;
};

struct db {
    sqlite3 *raw;
    char *path;
    struct place *place;       /* NULL: in memory */
    int lock_fd;               /* -1: reading, or in memory */
    bool memory, writes, wrote;
    bool writing;              /* the open transaction */
    int depth;
    const atomic_bool *stop;   /* db_break_off() */
    int wal_pages;             /* after the last commit */
    int64_t changes;           /* rows that this connection had changed when the write transaction began */
    bool (*before_commit)(void *ctx, struct err *e);
    void (*ended)(void *ctx, bool committed);
    void *commit_ctx;
    size_t nstatements, nbusy;
    struct stmt *buckets[BUCKETS];
};

/* sqlite3_system_errno() knows nothing of what fails while a transaction commits. What SQLite logs of the system's refusals it logs where
 * they come, on their thread; a write that fails it does not log, and keeps its errno with a file that may be closed by the time that we hear of it:
 * so the call itself is ours. */
static _Thread_local struct { int code, number; } refused;
static _Thread_local int unwritten; /* errno of the last write that failed */

static void note_refusal(void *ctx, int code, const char *message)
{
    int number = errno;
    (void)ctx;
    (void)message;
    if ((code & 0xff) == SQLITE_IOERR) {
        refused.code = code;
        refused.number = number;
    }
}

static void log_refusals(void) { sqlite3_config(SQLITE_CONFIG_LOG, note_refusal, NULL); }

static ssize_t noted(ssize_t written)
{
    if (written < 0 && errno != EINTR)
        unwritten = errno;
    return written;
}

static ssize_t write_at(int fd, const void *bytes, size_t n, off_t at) { return noted(pwrite(fd, bytes, n, at)); }
static ssize_t write_at64(int fd, const void *bytes, size_t n, off64_t at) { return noted(pwrite64(fd, bytes, n, at)); }

/* Initializes SQLite, so that it is configured before. */
static void note_writes(void)
{
    static const struct { const char *name; sqlite3_syscall_ptr call; } writes[] = {
        {"pwrite", (sqlite3_syscall_ptr)write_at}, {"pwrite64", (sqlite3_syscall_ptr)write_at64}};
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
        if (vfs->xGetSystemCall(vfs, writes[i].name)) /* the one that it was built with */
            vfs->xSetSystemCall(vfs, writes[i].name, writes[i].call);
}

bool db_had_no_room(struct sqlite3 *raw, int rc)
{
    int number = rc == SQLITE_IOERR_WRITE ? unwritten : refused.code == rc ? refused.number : sqlite3_system_errno(raw);
    return (rc & 0xff) == SQLITE_FULL || ((rc & 0xff) == SQLITE_IOERR && (number == ENOSPC || number == EDQUOT));
}

static bool failed(const struct db *db, int rc, struct err *e)
{
    enum err_code code = ERR_INTERNAL;
    const char *advice = "";
    switch (rc & 0xff) {
    case SQLITE_FULL:
        code = ERR_FULL;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        code = ERR_BUSY;
        break;
    case SQLITE_CANTOPEN:
        code = sqlite3_system_errno(db->raw) == ENOENT ? ERR_NOT_FOUND : ERR_IO;
        break;
    case SQLITE_IOERR:
        code = db_had_no_room(db->raw, rc) ? ERR_FULL : ERR_IO;
        advice = code == ERR_FULL ? "; the disk is full" : "";
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        code = ERR_IO;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        code = ERR_IO;
        advice = "; restore a backup";
        break;
    case SQLITE_TOOBIG:
        code = ERR_TOO_LARGE;
        break;
    case SQLITE_INTERRUPT:
        code = ERR_LIMIT;
        break;
    case SQLITE_NOMEM:
        if (ration_active()) {
            code = ERR_LIMIT;
            break;
        }
        fprintf(stderr, "telltale: out of memory in the database\n");
        abort();
    default:
        break;
    }
    return err_set(e, code, "database %s: %s%s", db->path, db->raw ? sqlite3_errmsg(db->raw) : sqlite3_errstr(rc), advice);
}

/* ---- the lock file --------------------------------------------------------------------------------------------------- */

bool db_lock(struct db *db, struct err *e)
{
    if (db->memory)
        return true;
    int64_t until = clock_monotonic_us() + LOCK_WAIT_US;
    for (useconds_t pause = 100;; pause = pause * 2 < LOCK_STEP_US ? pause * 2 : LOCK_STEP_US) {
        if (flock(db->lock_fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_errno(e, "cannot lock %s.lock", db->path);
        if (clock_monotonic_us() > until)
            return err_set(e, ERR_BUSY, "another telltale has been writing to %s for a minute; try again when it is done", db->path);
        usleep(pause);
    }
}

void db_unlock(struct db *db)
{
    if (!db->memory)
        flock(db->lock_fd, LOCK_UN);
}

/* Under the lock. What cannot be checkpointed because of a reader stays in the WAL for the next time. */
static void checkpoint(struct db *db)
{
    if (db->wal_pages >= WAL_TRUNCATE) {
        sqlite3_busy_timeout(db->raw, TRUNCATE_WAIT_MS);
        sqlite3_wal_checkpoint_v2(db->raw, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_busy_timeout(db->raw, LOCK_WAIT_US / 1000);
    } else if (db->wal_pages >= WAL_PASSIVE) {
        sqlite3_wal_checkpoint_v2(db->raw, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
}

static int remember_wal(void *ctx, sqlite3 *raw, const char *schema, int pages)
{
    (void)raw;
    (void)schema;
    ((struct db *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

/* ---- connections ----------------------------------------------------------------------------------------------------- */

static bool set_up(struct db *db, struct err *e)
{
    sqlite3_extended_result_codes(db->raw, 1);
    sqlite3_busy_timeout(db->raw, LOCK_WAIT_US / 1000);
    sqlite3_db_config(db->raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* that one would be without the lock */
    sqlite3_db_config(db->raw, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* The views use JSON functions, which SQLite 3.40 lets no untrusted schema use; no function here has an effect. */
    sqlite3_db_config(db->raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, NULL);
    sqlite3_db_config(db->raw, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->raw, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    char pragmas[256];
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY;"
             "PRAGMA cache_size = -%d;", CACHE_KIB);
    if (!db_script(db, pragmas, e))
        return false;
    sqlite3_wal_hook(db->raw, remember_wal, db);
    return true;
}

/* SQLite would make it readable to all; its log and index of the log are made like it. */
static bool make_private(const char *path, struct err *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno == EEXIST || err_errno(e, "cannot make %s", path);
}

static bool log_of(const char *path, struct stat *st)
{
    char log[4096];
    return snprintf(log, sizeof log, "%s-wal", path) < (int)sizeof log && stat(log, st) == 0;
}

/* SQLite would throw away the log of a database that is missing, and what was committed last with it. */
static bool owns_log(const char *path, struct err *e)
{
    struct stat file, log;
    return (stat(path, &file) == 0 && file.st_size) || !log_of(path, &log) || !log.st_size ||
           err_set(e, ERR_IO, "%s is not there, but its log %s-wal is, with changes that are in it alone: put the database back, or move its log away",
                   path, path);
}

bool db_open(const char *path, bool write, struct db **out, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT, then = PTHREAD_ONCE_INIT;
    pthread_once(&once, log_refusals);
    ration_install();
    pthread_once(&then, note_writes);
    struct db *db = calloc(1, sizeof *db);
    char *copy = strdup(path);
    if (!db || !copy)
        abort();
    *db = (struct db){.path = copy, .lock_fd = -1, .writes = write, .memory = strcmp(path, ":memory:") == 0};
    *out = db;
    bool ok = db->memory || place_take(path, &db->place, e);
    if (ok && write && !db->memory) {
        char lock[4096];
        if (snprintf(lock, sizeof lock, "%s.lock", path) >= (int)sizeof lock)
            ok = err_set(e, ERR_USAGE, "the path of the database is too long");
        else if ((db->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
            ok = err_errno(e, "cannot open %s", lock);
        else
            ok = owns_log(path, e) && make_private(path, e);
    }
    if (ok) {
        int flags = SQLITE_OPEN_NOMUTEX | (write || db->memory ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
        int rc = sqlite3_open_v2(path, &db->raw, flags, NULL);
        ok = (rc == SQLITE_OK || failed(db, rc, e)) && set_up(db, e);
        if (!db->memory && !db->place)
            db->place = place_new(path);
    }
    if (!ok) {
        db_close(db);
        *out = NULL;
    }
    return ok;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct stmt *q = db->buckets[i], *next; q; q = next) {
            next = q->next;
            sqlite3_finalize(q->raw);
            free(q);
        }
    /* So that the file stands alone when the last writer has gone; whoever holds the lock now will do it instead. */
    if (db->wrote && !db->memory && flock(db->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        sqlite3_busy_timeout(db->raw, 0);
        sqlite3_wal_checkpoint_v2(db->raw, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        db_unlock(db);
    }
    sqlite3_close(db->raw);
    if (db->lock_fd >= 0)
        close(db->lock_fd);
    place_leave(db->place);
    free(db->path);
    free(db);
}

const char *db_path(const struct db *db) { return db->path; }
struct sqlite3 *db_raw(struct db *db) { return db->raw; }

/* Not while a transaction begins or ends (depth 0). */
static int is_stopped(void *ctx)
{
    const struct db *db = ctx;
    return db->depth && !db->writing && atomic_load_explicit(db->stop, memory_order_relaxed);
}

bool db_has_log(const char *path)
{
    struct stat st;
    return log_of(path, &st);
}

/* SQLite takes it away with the last connection that may write. Under the lock where there is one; a log with anything in it stays for a writer. */
void db_leave(const char *path)
{
    char lock[4096];
    struct stat st;
    sqlite3 *raw = NULL;
    int fd = snprintf(lock, sizeof lock, "%s.lock", path) < (int)sizeof lock ? open(lock, O_RDWR | O_CLOEXEC) : -1;
    bool busy = fd >= 0 ? flock(fd, LOCK_EX | LOCK_NB) != 0 : errno != ENOENT;
    if (!busy && log_of(path, &st) && st.st_size == 0) {
        if (sqlite3_open_v2(path, &raw, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
            sqlite3_exec(raw, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
        sqlite3_close(raw);
    }
    if (fd >= 0)
        close(fd);
}

void db_break_off(struct db *db, const atomic_bool *stop)
{
    db->stop = stop;
    sqlite3_progress_handler(db->raw, stop ? STEPS_PER_LOOK : 0, stop ? is_stopped : NULL, db);
}

bool db_script(struct db *db, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(db->raw, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || failed(db, rc, e);
}

bool db_format(struct db *db, struct err *e)
{
    char pragma[64];
    snprintf(pragma, sizeof pragma, "PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL", PAGE_BYTES);
    if (!db_script(db, pragma, e))
        return false;
    struct stmt *q = db_prepare(db, "PRAGMA journal_mode = WAL", e);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    struct slice mode = take_bytes(q);
    bool wal = db->memory || slice_is(mode, "wal");
    stmt_reset(q);
    return wal || err_set(e, ERR_IO, "%s is on a file system without the shared memory that SQLite's WAL needs; use a local disk", db->path);
}

static bool can_move(struct db *db, bool *out, struct err *e)
{
    struct stmt *q = db_prepare(db, "PRAGMA auto_vacuum", e);
    if (stmt_step(q, e) != STEP_ROW)
        return false;
    *out = take_int(q) != 0;
    stmt_reset(q);
    return true;
}

/* All of it anew, gathered in a file beside it: in memory, where everything else is that is for a while, it would take as much of that. Under the
 * lock: nothing else looks at where temporary files are. */
static bool write_anew(struct db *db, struct err *e)
{
    const char *slash = strrchr(db->path, '/');
    char *before = sqlite3_temp_directory, *folder = slash ? sqlite3_mprintf("%.*s", (int)(slash - db->path) + 1, db->path) : sqlite3_mprintf(".");
    sqlite3_temp_directory = folder;
    bool ok = db_script(db, "PRAGMA temp_store = FILE; PRAGMA auto_vacuum = INCREMENTAL; VACUUM", e);
    sqlite3_temp_directory = before;
    sqlite3_free(folder);
    return db_script(db, "PRAGMA temp_store = MEMORY", ok ? e : NULL) && ok;
}

bool db_vacuum(struct db *db, int64_t pages, struct err *e)
{
    char pragma[64];
    bool movable;
    snprintf(pragma, sizeof pragma, "PRAGMA incremental_vacuum(%lld)", (long long)pages);
    if (!can_move(db, &movable, e) || !db_lock(db, e))
        return false;
    db->wrote = true;
    bool ok = movable ? db_script(db, pragma, e) : write_anew(db, e);
    if (ok)
        checkpoint(db);
    db_unlock(db);
    return ok;
}

static void drop_idle(struct db *db)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct stmt **at = &db->buckets[i]; *at;) {
            struct stmt *q = *at;
            if (q->busy) {
                at = &q->next;
                continue;
            }
            *at = q->next;
            sqlite3_finalize(q->raw);
            free(q);
            db->nstatements--;
        }
}

static bool empty_wal(struct db *db, struct err *e)
{
    int left = 0, rc = sqlite3_wal_checkpoint_v2(db->raw, NULL, SQLITE_CHECKPOINT_TRUNCATE, &left, NULL);
    if (rc == SQLITE_BUSY)
        return err_set(e, ERR_BUSY, "somebody has been reading %s for a minute, so that %s-wal still holds what was there; do it again when they are done",
                       db->path, db->path);
    return rc == SQLITE_OK || failed(db, rc, e);
}

bool db_rewrite(struct db *db, struct err *e)
{
    if (!db_lock(db, e))
        return false;
    drop_idle(db);
    db->wrote = true;
    bool ok = write_anew(db, e) && (db->memory || empty_wal(db, e));
    db_unlock(db);
    return ok;
}

/* ---- transactions ---------------------------------------------------------------------------------------------------- */

bool db_read(struct db *db, struct err *e)
{
    if (db->depth == 0 && !(place_holds(db->place, e) && db_script(db, "BEGIN", e)))
        return false;
    db->depth++;
    return true;
}

bool db_write(struct db *db, struct err *e)
{
    if (db->depth || !db->writes)
        return err_set(e, ERR_INTERNAL, "a write transaction was asked for %s", db->depth ? "inside another" : "of a database opened for reading");
    if (!db_lock(db, e))
        return false;
    if (!place_holds(db->place, e) || !db_script(db, "BEGIN IMMEDIATE", e)) {
        db_unlock(db);
        return false;
    }
    db->depth = 1;
    db->writing = true;
    db->changes = sqlite3_total_changes64(db->raw);
    return true;
}

/* Error paths leave statements in the middle of their rows; a transaction cannot end under them. */
static void give_back_all(struct db *db)
{
    for (size_t i = 0; i < BUCKETS && db->nbusy; i++)
        for (struct stmt *q = db->buckets[i]; q; q = q->next)
            stmt_reset(q);
}

void db_before_commit(struct db *db, bool (*call)(void *ctx, struct err *e), void (*ended)(void *ctx, bool committed), void *ctx)
{
    db->before_commit = call;
    db->ended = ended;
    db->commit_ctx = ctx;
}

bool db_end(struct db *db, bool ok, struct err *e)
{
    if (--db->depth)
        return ok;
    give_back_all(db);
    if (!db->writing)
        return db_script(db, "COMMIT", ok ? e : NULL) && ok;
    if (ok && db->before_commit && sqlite3_total_changes64(db->raw) != db->changes)
        ok = db->before_commit(db->commit_ctx, e);
    bool committed = ok && db_script(db, "COMMIT", e);
    if (!committed && !sqlite3_get_autocommit(db->raw))
        db_script(db, "ROLLBACK", NULL);
    if (committed)
        checkpoint(db);
    if (db->ended)
        db->ended(db->commit_ctx, committed);
    db->writing = false;
    db->wrote |= committed;
    db_unlock(db);
    return committed;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

/* Eight bytes at a time: it is done for every row that is written. */
static uint64_t hash_text(const char *sql)
{
    size_t len = strlen(sql);
    uint64_t hash = len, word;
    for (; len >= sizeof word; len -= sizeof word, sql += sizeof word) {
        memcpy(&word, sql, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    for (; len; len--)
        hash = (hash ^ (unsigned char)*sql++) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

struct stmt *db_prepare(struct db *db, const char *sql, struct err *e)
{
    uint64_t hash = hash_text(sql);
    struct stmt *q = db->buckets[hash % BUCKETS];
    while (q && (q->busy || q->hash != hash || strcmp(sqlite3_sql(q->raw), sql) != 0))
        q = q->next;
    if (!q) {
        if (db->nstatements >= STATEMENTS_MAX)
            drop_idle(db);
        sqlite3_stmt *raw;
        int rc = sqlite3_prepare_v3(db->raw, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, NULL);
        if (rc != SQLITE_OK) {
            failed(db, rc, e);
            return NULL;
        }
        q = calloc(1, sizeof *q);
        if (!q)
            abort();
        *q = (struct stmt){.raw = raw, .db = db, .hash = hash, .next = db->buckets[hash % BUCKETS]};
        db->buckets[hash % BUCKETS] = q;
        db->nstatements++;
    }
    q->busy = true;
    q->bound = q->taken = q->failed = 0;
    db->nbusy++;
    return q;
}

void stmt_reset(struct stmt *q)
{
    if (!q->busy)
        return;
    sqlite3_reset(q->raw);
    q->busy = false;
    q->db->nbusy--;
}

enum step stmt_step(struct stmt *q, struct err *e)
{
    if (!q)
        return STEP_ERROR;
    int rc = q->failed ? q->failed : sqlite3_step(q->raw);
    if (rc == SQLITE_ROW) {
        q->taken = 0;
        return STEP_ROW;
    }
    if (rc != SQLITE_DONE)
        failed(q->db, rc, e);
    stmt_reset(q);
    return rc == SQLITE_DONE ? STEP_DONE : STEP_ERROR;
}

enum step stmt_int(struct stmt *q, int64_t *out, struct err *e)
{
    enum step step = stmt_step(q, e);
    if (step == STEP_ROW) {
        *out = take_int(q);
        stmt_reset(q);
    }
    return step;
}

bool stmt_run(struct stmt *q, struct err *e)
{
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW) {}
    return step == STEP_DONE;
}

/* Keeps the first code that is an error, for the step to report. */
static void note(struct stmt *q, int rc)
{
    if (rc != SQLITE_OK && !q->failed)
        q->failed = rc;
}

void bind_int(struct stmt *q, int64_t n)
{
    if (q)
        note(q, sqlite3_bind_int64(q->raw, ++q->bound, n));
}

void bind_null(struct stmt *q)
{
    if (q)
        note(q, sqlite3_bind_null(q->raw, ++q->bound));
}

void bind_count(struct stmt *q, int64_t n)
{
    if (n == COUNT_UNKNOWN)
        bind_null(q);
    else
        bind_int(q, n);
}

void bind_real(struct stmt *q, double x)
{
    if (q)
        note(q, sqlite3_bind_double(q->raw, ++q->bound, x));
}

void bind_text(struct stmt *q, struct slice s)
{
    if (q)
        note(q, sqlite3_bind_text64(q->raw, ++q->bound, s.ptr, s.len, SQLITE_STATIC, SQLITE_UTF8));
}

void bind_blob(struct stmt *q, struct slice s)
{
    if (q)
        note(q, sqlite3_bind_blob64(q->raw, ++q->bound, s.ptr, s.len, SQLITE_STATIC));
}

int64_t take_int(struct stmt *q) { return sqlite3_column_int64(q->raw, q->taken++); }

int64_t take_count(struct stmt *q)
{
    int column = q->taken++;
    return sqlite3_column_type(q->raw, column) == SQLITE_NULL ? COUNT_UNKNOWN : sqlite3_column_int64(q->raw, column);
}

double take_real(struct stmt *q)
{
    int column = q->taken++;
    return sqlite3_column_type(q->raw, column) == SQLITE_NULL ? NAN : sqlite3_column_double(q->raw, column);
}

struct slice take_bytes(struct stmt *q)
{
    int column = q->taken++;
    if (sqlite3_column_type(q->raw, column) == SQLITE_NULL)
        return SLICE_NONE;
    const void *p = sqlite3_column_blob(q->raw, column);
    return slice_of(p ? p : "", (size_t)sqlite3_column_bytes(q->raw, column));
}

struct slice take_text(struct stmt *q, struct arena *a) { return arena_dup(a, take_bytes(q)); }

enum value_type stmt_next_type(struct stmt *q)
{
    switch (sqlite3_column_type(q->raw, q->taken)) {
    case SQLITE_INTEGER:
        return VALUE_INT;
    case SQLITE_FLOAT:
        return VALUE_REAL;
    case SQLITE_TEXT:
        return VALUE_TEXT;
    case SQLITE_BLOB:
        return VALUE_BLOB;
    default:
        return VALUE_NULL;
    }
}

int64_t db_last_id(struct db *db) { return sqlite3_last_insert_rowid(db->raw); }
int64_t db_changes(struct db *db) { return sqlite3_changes64(db->raw); }

/* ---- functions ------------------------------------------------------------------------------------------------------- */

struct function {
    db_text_function call;
    void *ctx;
};

static void call_function(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    const struct function *f = sqlite3_user_data(context);
    if (sqlite3_value_type(values[0]) == SQLITE_NULL)
        return;
    struct slice text;
    struct err e = {0};
    if (f->call(f->ctx, sqlite3_value_int64(values[0]), &text, &e))
        sqlite3_result_text64(context, text.ptr, text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    else
        sqlite3_result_error(context, e.text, -1);
}

bool db_add_function(struct db *db, const char *name, db_text_function function, void *ctx, struct err *e)
{
    struct function *f = malloc(sizeof *f);
    if (!f)
        abort();
    *f = (struct function){function, ctx};
    int rc = sqlite3_create_function_v2(db->raw, name, 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, f, call_function, NULL, NULL, free);
    return rc == SQLITE_OK || failed(db, rc, e);
}
