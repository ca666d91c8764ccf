/* Loaded in front of the C library (LD_PRELOAD): writes to the files of one folder fail, stop half way or end the program, and the clock of the day jumps.
 *
 * FAULT_UNDER   only files whose path begins so are touched
 * FAULT_KILL    N: the program is killed in the middle of the N-th write, of which half is done
 * FAULT_AT      N:ENOSPC | N:EDQUOT | N:EIO | N:SHORT: the N-th write fails so (SHORT: only half is written), and those after it too
 * FAULT_FILE    a file that says ENOSPC or EIO as long as all writes are to fail so, or SHORT
 * FAULT_SYNCS   1: fsync and fdatasync count and fail as writes do; only: they alone do
 * FAULT_RENAME  N: the program is killed before the N-th of those files is renamed
 * FAULT_CLOCK   a file that says by how many seconds CLOCK_REALTIME is off
 * FAULT_COUNT   a file that is given the number of writes at the program's end */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_long writes;
static long kill_at, fail_at, rename_at;
static int fail_with, syncs, only_syncs;
static const char *under, *fault_file, *clock_file;

enum { SHORT = -1 };

static int code_of(const char *word)
{
    return strncmp(word, "ENOSPC", 6) == 0 ? ENOSPC : strncmp(word, "EDQUOT", 6) == 0 ? EDQUOT : strncmp(word, "EIO", 3) == 0 ? EIO
         : strncmp(word, "SHORT", 5) == 0 ? SHORT : 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("FAULT_AT"), *killed = getenv("FAULT_KILL");
    under = getenv("FAULT_UNDER");
    fault_file = getenv("FAULT_FILE");
    clock_file = getenv("FAULT_CLOCK");
    kill_at = killed ? atol(killed) : 0;
    fail_at = at ? atol(at) : 0;
    rename_at = getenv("FAULT_RENAME") ? atol(getenv("FAULT_RENAME")) : 0;
    syncs = getenv("FAULT_SYNCS") != NULL;
    only_syncs = syncs && strcmp(getenv("FAULT_SYNCS"), "only") == 0;
    fail_with = at && strchr(at, ':') ? code_of(strchr(at, ':') + 1) : 0;
}

__attribute__((destructor)) static void end(void)
{
    const char *count = getenv("FAULT_COUNT");
    char text[32];
    int fd = count ? (int)syscall(SYS_openat, AT_FDCWD, count, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    if (fd >= 0) {
        syscall(SYS_write, fd, text, snprintf(text, sizeof text, "%ld\n", atomic_load(&writes)));
        syscall(SYS_close, fd);
    }
}

/* Without any function that is replaced below. */
static size_t read_small(const char *path, char *out, size_t size)
{
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) : -1;
    long n = fd >= 0 ? syscall(SYS_read, fd, out, size - 1) : 0;
    if (fd >= 0)
        syscall(SYS_close, fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static int is_ours(int fd)
{
    char link[64], path[4096];
    if (!under)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return 0;
    path[n] = '\0';
    return strncmp(path, under, strlen(under)) == 0;
}

/* What is to become of this write: 0 nothing, SHORT, or an errno. */
static int fate(int fd, const void *bytes, size_t n, off_t at)
{
    char word[32];
    if (!is_ours(fd))
        return 0;
    long now = atomic_fetch_add(&writes, 1) + 1;
    if (kill_at && now == kill_at) {
        if (bytes && n > 1)
            (void)!(at < 0 ? syscall(SYS_write, fd, bytes, n / 2) : syscall(SYS_pwrite64, fd, bytes, n / 2, at));
        raise(SIGKILL);
    }
    if (fail_at && now >= fail_at)
        return fail_with;
    return read_small(fault_file, word, sizeof word) ? code_of(word) : 0;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    int f = only_syncs ? 0 : fate(fd, bytes, n, -1);
    if (f > 0) {
        errno = f;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, f == SHORT && n > 1 ? n / 2 : n);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
    int f = only_syncs ? 0 : fate(fd, bytes, n, at);
    if (f > 0) {
        errno = f;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, f == SHORT && n > 1 ? n / 2 : n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) { return pwrite64(fd, bytes, n, at); }

ssize_t sendfile(int out, int in, off_t *at, size_t n)
{
    int f = only_syncs ? 0 : fate(out, NULL, 0, -1);
    if (f > 0) {
        errno = f;
        return -1;
    }
    return syscall(SYS_sendfile, out, in, at, n);
}

static int sync_file(long call, int fd)
{
    int f = syncs ? fate(fd, NULL, 0, -1) : 0;
    if (f > 0) {
        errno = f;
        return -1;
    }
    return (int)syscall(call, fd);
}

int rename(const char *from, const char *to)
{
    static atomic_long renames;
    if (rename_at && under && strncmp(from, under, strlen(under)) == 0 && atomic_fetch_add(&renames, 1) + 1 == rename_at)
        raise(SIGKILL);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int fsync(int fd) { return sync_file(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_file(SYS_fdatasync, fd); }

int clock_gettime(clockid_t id, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    char text[32];
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(id, t);
    if (id == CLOCK_REALTIME && clock_file && read_small(clock_file, text, sizeof text))
        t->tv_sec += atol(text);
    return r;
}
