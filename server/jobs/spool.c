#include "jobs/spool.h"

#include "base/folder.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void spool_path(const struct spool *spool, const char *id, char out[4096]) { snprintf(out, 4096, "%s/%s", spool->dir, id); }

/* As open(). The folder is the server's own: where it is gone, it is made again. */
static int open_in(const struct spool *spool, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    bool made = mkdir(spool->dir, 0700) == 0;
    if (made)
        log_warn("the folder of uploads that wait, %s, was gone and is made anew; uploads that waited in it cannot be read", spool->dir);
    if (made ? !folder_sync(spool->dir, NULL) : errno != EEXIST)
        return -1;
    return open(path, flags | O_CLOEXEC, 0600);
}

bool spool_refused(const struct spool *spool, struct err *e)
{
    static struct log_trouble trouble;
    bool broken = errno == EIO;
    struct err why;
    err_errno(&why, "cannot write to %s", spool->dir);
    if (log_trouble_due(&trouble))
        log_error("%s", why.text);
    if (why.code == ERR_FULL)
        return err_set(e, ERR_FULL, "the server's disk is full; try again when there is room on it");
    return err_set(e, broken ? ERR_IO : ERR_BUSY, "the server cannot write to its disk, and its log says why; try again when it can");
}

bool upload_open(const struct spool *spool, uint64_t max, struct upload *u, struct err *e)
{
    char path[4096];
    u->max = max < spool->max ? max : spool->max;
    uuid_random(u->id);
    spool_path(spool, u->id, path);
    u->fd = open_in(spool, path, O_WRONLY | O_CREAT | O_EXCL);
    if (u->fd < 0) {
        u->id[0] = '\0';
        return spool_refused(spool, e);
    }
    u->hash = aligned_alloc(_Alignof(struct hash), sizeof *u->hash);
    if (!u->hash)
        abort();
    hash_start(u->hash);
    return true;
}

bool upload_write(const struct spool *spool, struct upload *u, const char *bytes, size_t n, struct err *e)
{
    if (n > u->max - u->bytes)
        return err_set(e, ERR_TOO_LARGE, "an upload may have %llu bytes at most; split it, or import it on the command line",
                       (unsigned long long)u->max);
    hash_add(u->hash, slice_of(bytes, n));
    while (n) {
        ssize_t done = write(u->fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return spool_refused(spool, e);
        u->bytes += (uint64_t)done;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

bool upload_sync(const struct spool *spool, struct upload *u, struct err *e)
{
    char path[4096];
    spool_path(spool, u->id, path);
    return (fsync(u->fd) == 0 && folder_sync(path, NULL)) || spool_refused(spool, e);
}

void upload_hash(struct upload *u, char out[2 * HASH_SIZE + 1])
{
    unsigned char bytes[HASH_SIZE];
    hash_end(u->hash, bytes);
    hash_hex(bytes, HASH_SIZE, out);
}

void upload_close(const struct spool *spool, struct upload *u)
{
    if (!u->id[0])
        return;
    if (u->fd >= 0)
        close(u->fd);
    u->fd = -1;
    free(u->hash);
    u->hash = NULL;
    if (!u->kept)
        spool_remove(spool, u->id);
    u->id[0] = '\0';
}

void spool_remove(const struct spool *spool, const char *id)
{
    char path[4096];
    spool_path(spool, id, path);
    unlink(path);
}

int spool_scratch(const struct spool *spool, struct err *e)
{
    int fd = open_in(spool, spool->dir, O_TMPFILE | O_RDWR);
    if (fd < 0)
        spool_refused(spool, e);
    return fd;
}

bool spool_each(const struct spool *spool, void (*each)(void *ctx, const char *id, uint64_t bytes), void *ctx, struct err *e)
{
    DIR *dir = opendir(spool->dir);
    if (!dir)
        return err_errno(e, "cannot look into %s", spool->dir);
    struct dirent *entry;
    struct stat st;
    while ((entry = readdir(dir)))
        if (uuid_valid(slice_str(entry->d_name)) && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            each(ctx, entry->d_name, (uint64_t)st.st_size);
    closedir(dir);
    return true;
}
