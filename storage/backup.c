#include "storage/backup.h"

#include "storage/access.h"
#include "storage/inside.h"

#include "base/folder.h"
#include "base/hash.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STEP_PAGES = 256,  /* 4 MB: between two looks at whether to stop */
    TRIES = 50,        /* at a moment of which all uploads are still there */
    TRY_US = 20000,
    COPY_BYTES = 1 << 24,
};

struct backup {
    struct store *store;
    struct arena arena;
    const char *to, *part;
    struct slices uploads; /* ids */
    struct slices copied;  /* files that were made for it: those of an earlier backup under the same name stay when this one fails */
};

static const char *path(struct backup *b, const char *file, const char *suffix) { return arena_printf(&b->arena, "%s%s", file, suffix).ptr; }

/* ---- files ----------------------------------------------------------------------------------------------------------- */

/* *missing: there is no such file, which is no failure. */
static bool copy_bytes(const char *from, const char *to, bool *missing, struct err *e)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    *missing = in < 0 && errno == ENOENT;
    if (in < 0)
        return *missing || err_errno(e, "cannot read %s", from);
    unlink(to);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t n = out < 0 ? -1 : 1;
    while (n > 0)
        n = sendfile(out, in, NULL, COPY_BYTES);
    bool ok = (n == 0 && fsync(out) == 0) || err_errno(e, "cannot write %s", to);
    if (out >= 0)
        close(out);
    close(in);
    if (!ok)
        unlink(to);
    return ok;
}

static bool name_file(const char *from, const char *to, struct err *e) { return rename(from, to) == 0 || err_errno(e, "cannot give %s its name", to); }

/* A copy that is whole when it bears its name. */
static bool copy_file(struct backup *b, const char *from, const char *to, bool *missing, struct err *e)
{
    const char *part = path(b, to, ".part");
    if (!copy_bytes(from, part, missing, e))
        return false;
    bool ok = *missing || name_file(part, to, e);
    if (!ok)
        unlink(part);
    return ok;
}

/* ---- uploads --------------------------------------------------------------------------------------------------------- */

static bool list_uploads(struct backup *b, struct err *e)
{
    struct stmt *q = db_prepare(b->store->db, "SELECT id FROM job WHERE kind = 'import' AND state IN (0, 1, 3) ORDER BY n", e);
    enum step step;
    b->uploads.n = 0;
    while ((step = stmt_step(q, e)) == STEP_ROW) {
        b->uploads.items = arena_grow(&b->arena, b->uploads.items, b->uploads.n, &b->uploads.cap, sizeof *b->uploads.items);
        b->uploads.items[b->uploads.n++] = take_text(q, &b->arena);
    }
    return step == STEP_DONE;
}

/* As the transaction knows it: an upload whose job has failed may have lost its bytes long ago. */
static bool still_waits(struct backup *b, struct slice id, bool *waits, struct err *e)
{
    struct stmt *q = db_prepare(b->store->db, "SELECT state IN (0, 1) FROM job WHERE id = $1", e);
    bind_text(q, id);
    *waits = false;
    enum step step;
    while ((step = stmt_step(q, e)) == STEP_ROW)
        *waits = take_int(q);
    return step == STEP_DONE;
}

/* An upload never changes: one that an earlier backup has is not copied again. */
static bool copy_upload(struct backup *b, const char *from, const char *to, bool *missing, struct err *e)
{
    *missing = false;
    if (access(to, F_OK) == 0)
        return true;
    if (!copy_file(b, from, to, missing, e))
        return false;
    b->copied.items = arena_grow(&b->arena, b->copied.items, b->copied.n, &b->copied.cap, sizeof *b->copied.items);
    b->copied.items[b->copied.n++] = slice_str(to);
    return true;
}

static void drop_copied(struct backup *b)
{
    for (size_t i = 0; i < b->copied.n; i++)
        unlink(b->copied.items[i].ptr);
    rmdir(path(b, b->to, ".spool")); /* where nothing is in it */
}

/* Copies the uploads that the transaction's moment knows. *all false: one was read to its end since, so another moment is needed. */
static bool copy_uploads(struct backup *b, bool *all, struct err *e)
{
    const char *from = path(b, db_path(b->store->db), ".spool"), *to = path(b, b->to, ".spool");
    *all = true;
    if (!list_uploads(b, e))
        return false;
    if (!b->uploads.n)
        return true;
    if (mkdir(to, 0700) != 0 && errno != EEXIST)
        return err_errno(e, "cannot make the folder %s", to);
    for (size_t i = 0; i < b->uploads.n && *all; i++) {
        struct slice id = b->uploads.items[i];
        const char *name = arena_printf(&b->arena, "/%.*s", SLICE_ARG(id)).ptr;
        bool missing, waits = false;
        if (!copy_upload(b, path(b, from, name), path(b, to, name), &missing, e) || (missing && !still_waits(b, id, &waits, e)))
            return false;
        *all = !missing || !waits;
    }
    return !*all || folder_sync(path(b, to, "/"), e);
}

/* ---- the database ---------------------------------------------------------------------------------------------------- */

static bool copy_failed(struct backup *b, sqlite3 *copy, int rc, struct err *e)
{
    enum err_code code = db_had_no_room(copy, rc) ? ERR_FULL : ERR_IO;
    return err_set(e, code, "cannot write %s: %s", b->part, copy ? sqlite3_errmsg(copy) : sqlite3_errstr(rc));
}

static bool copy_pages(struct backup *b, sqlite3 *copy, void (*progress)(void *ctx, int64_t done, int64_t of), void *ctx, struct err *e)
{
    sqlite3_backup *job = sqlite3_backup_init(copy, "main", db_raw(b->store->db), "main");
    if (!job)
        return copy_failed(b, copy, sqlite3_errcode(copy), e);
    int rc;
    while ((rc = sqlite3_backup_step(job, STEP_PAGES)) == SQLITE_OK && !store_unwanted(b->store))
        if (progress)
            progress(ctx, sqlite3_backup_pagecount(job) - sqlite3_backup_remaining(job), sqlite3_backup_pagecount(job));
    int end = sqlite3_backup_finish(job);
    if (rc == SQLITE_OK)
        return err_set(e, ERR_CANCELLED, "the backup was broken off");
    return (rc == SQLITE_DONE && end == SQLITE_OK) || copy_failed(b, copy, rc == SQLITE_DONE ? end : rc, e);
}

/* The file is new and has its name only when it is on the disk: a journal would guard nothing. */
static bool write_copy(struct backup *b, void (*progress)(void *ctx, int64_t done, int64_t of), void *ctx, struct backup_report *out, struct err *e)
{
    sqlite3 *copy = NULL;
    struct stat st;
    unlink(b->part);
    int fd = open(b->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(e, "cannot write %s", b->part);
    int rc = sqlite3_open_v2(b->part, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    bool ok = (rc == SQLITE_OK && sqlite3_exec(copy, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL) == SQLITE_OK) ||
              copy_failed(b, copy, rc, e);
    ok = ok && copy_pages(b, copy, progress, ctx, e);
    sqlite3_close(copy);
    ok = ok && ((fsync(fd) == 0 && fstat(fd, &st) == 0) || err_errno(e, "cannot write %s", b->part));
    out->bytes = ok ? (uint64_t)st.st_size : 0;
    close(fd);
    return ok;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static bool is_file(const char *name, struct stat *st) { return stat(name, st) == 0 && S_ISREG(st->st_mode); }

/* The first bytes of a file, at most `size`; 0 where it cannot be read. */
static size_t file_head(const char *name, unsigned char *out, size_t size)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size);
    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

/* By its first page: at byte 68 stands whose database it is (sqlite.org/fileformat2.html, "The Database Header"). */
static bool is_ours(const char *name)
{
    unsigned char head[72];
    uint32_t application;
    if (file_head(name, head, sizeof head) != sizeof head || memcmp(head, "SQLite format 3", 16) != 0)
        return false;
    memcpy(&application, head + 68, sizeof application);
    return be32toh(application) == DB_APPLICATION_ID;
}

static bool same_bytes(const char *a, const char *b)
{
    unsigned char one[SECRET_SIZE + 1], other[sizeof one];
    size_t n = file_head(a, one, sizeof one);
    return n == file_head(b, other, sizeof other) && memcmp(one, other, n) == 0;
}

/* The name with the true path of its folder; as it is where there is no such folder. */
static struct slice true_name(struct backup *b, const char *name)
{
    const char *slash = strrchr(name, '/');
    struct slice folder = slash ? slice_of(name, (size_t)(slash - name) + 1) : slice_str(".");
    char *real = realpath(arena_strdup(&b->arena, folder), NULL);
    struct slice out = real ? arena_printf(&b->arena, "%s/%s", real, slash ? slash + 1 : name) : slice_str(name);
    free(real);
    return out;
}

/* What the backup writes or clears is not the database, and its name none that the database needs, be it there now or not. */
static bool is_apart(struct backup *b, struct err *e)
{
    static const char *const written[] = {"", ".part", ".key", ".key.part", ".key.old", "-wal", "-shm"}, *const needed[] = {"-wal", "-shm", "-journal", ".lock", ".key", ".spool"};
    struct stat from, to;
    bool there = is_file(db_path(b->store->db), &from);
    for (size_t i = 0; there && i < sizeof written / sizeof *written; i++) {
        const char *name = path(b, b->to, written[i]);
        if (is_file(name, &to) && to.st_dev == from.st_dev && to.st_ino == from.st_ino)
            return err_set(e, ERR_USAGE, "%s is the database itself; name another file", name);
    }
    char *real = realpath(db_path(b->store->db), NULL);
    struct slice name = true_name(b, b->to), database = slice_str(real ? arena_strdup(&b->arena, slice_str(real)) : db_path(b->store->db));
    free(real);
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (slice_eq(name, arena_printf(&b->arena, "%.*s%s", SLICE_ARG(database), needed[i])))
            return err_set(e, ERR_USAGE, "%s belongs to the database itself; name another file", b->to);
    return true;
}

/* Only an earlier backup is replaced. */
static bool may_write(struct backup *b, struct err *e)
{
    const char *key = path(b, b->to, ".key");
    struct stat to, beside;
    bool there = stat(b->to, &to) == 0;
    if (there && !S_ISREG(to.st_mode))
        return err_set(e, ERR_USAGE, "%s is no file; name the file that the backup is to be", b->to);
    if (!is_apart(b, e))
        return false;
    if ((is_file(path(b, b->to, "-wal"), &beside) && beside.st_size) || is_file(path(b, b->to, ".lock"), &beside))
        return err_set(e, ERR_CONFLICT, "%s is, or was, in use as a database; name another file", b->to);
    if (there && !is_ours(b->to))
        return err_set(e, ERR_USAGE, "%s is there already and is no Telltale database, so it is not replaced; name another file", b->to);
    if (!there && stat(key, &beside) == 0 && !same_bytes(key, path(b, db_path(b->store->db), ".key")))
        return err_set(e, ERR_USAGE, "%s is there already and is of something else, so it is not replaced; name another file for the backup", key);
    return true;
}

/* From the beginning of the transaction all is as it is then; uploads that were read meanwhile belong to a later moment. */
static bool begin(struct backup *b, struct err *e)
{
    for (int try = 0; try < TRIES; try++) {
        bool all;
        if (!db_read(b->store->db, e))
            return false;
        if (!copy_uploads(b, &all, e))
            return db_end(b->store->db, false, e);
        if (all)
            return true;
        db_end(b->store->db, true, NULL);
        usleep(TRY_US);
    }
    return err_set(e, ERR_BUSY, "uploads are read faster than they can be copied; try again");
}

/* Uploads of an earlier backup under the same name, that this one does not know. */
static void drop_old_uploads(struct backup *b)
{
    DIR *dir = opendir(path(b, b->to, ".spool"));
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        bool known = !uuid_valid(slice_str(entry->d_name));
        for (size_t i = 0; i < b->uploads.n && !known; i++)
            known = slice_is(b->uploads.items[i], entry->d_name);
        if (!known)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

/* Gives the copy and its key, which are whole, their names. Under another's key a copy would know none of its tokens, and not say so; without any it says
 * so (token_key_lost). So where the keys differ the earlier copy's is put aside before the copy is replaced, and the new one comes after it. What a crash in
 * between leaves is the earlier copy, its key in .key.old, or the new one, its key in .key.part; renamed to .key, or the backup made again, all is well. */
static bool name_both(struct backup *b, bool no_key, struct err *e)
{
    const char *key = path(b, b->to, ".key"), *part = path(b, key, ".part"), *old = path(b, key, ".old");
    struct stat st;
    bool same = no_key ? !is_file(key, &st) : same_bytes(key, part), aside = !same && is_file(key, &st);
    if ((aside && !(name_file(key, old, e) && folder_sync(b->to, e))) || !name_file(b->part, b->to, e)) {
        unlink(part);
        if (aside)
            rename(old, key);
        return false;
    }
    b->copied.n = 0; /* they are of the backup that is there now, whatever happens */
    if (same)
        unlink(part);
    else if (!folder_sync(b->to, e) || !(no_key || name_file(part, key, e)))
        return false;
    if (!folder_sync(b->to, e))
        return false;
    unlink(old);
    return true;
}

static bool back_up(struct backup *b, void (*progress)(void *ctx, int64_t done, int64_t of), void *ctx, struct backup_report *out, struct err *e)
{
    bool no_key;
    if (!may_write(b, e) || !begin(b, e) || !db_end(b->store->db, write_copy(b, progress, ctx, out, e), e))
        return false;
    out->uploads = b->uploads.n;
    out->replaced = access(b->to, F_OK) == 0;
    if (!may_write(b, e) /* as it is by now */ || !copy_bytes(path(b, db_path(b->store->db), ".key"), path(b, b->to, ".key.part"), &no_key, e) ||
        !name_both(b, no_key, e))
        return false;
    unlink(path(b, b->to, "-wal")); /* empty: who only read the backup before leaves them */
    unlink(path(b, b->to, "-shm"));
    drop_old_uploads(b);
    return folder_sync(b->to, e);
}

bool store_backup(struct store *s, const char *to, void (*progress)(void *ctx, int64_t done, int64_t of), void *ctx, struct backup_report *out,
                  struct err *e)
{
    struct backup b = {.store = s, .to = to};
    *out = (struct backup_report){0};
    b.part = path(&b, to, ".part");
    bool ok = back_up(&b, progress, ctx, out, e);
    if (!ok) {
        unlink(b.part);
        drop_copied(&b);
    }
    arena_free(&b.arena);
    return ok;
}
