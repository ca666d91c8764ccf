#include "http/held.h"

#include <stdatomic.h>
#include <unistd.h>

/* Two are written at a time, so that what is begun before the bytes are reached can go beyond them by two exports. */
enum { HELD_FILES = 32, HELD_BYTES = 1 << 30 };

static atomic_int files;
static atomic_uint_fast64_t held;

int held_open(const struct spool *spool, struct err *e)
{
    int fd = -1;
    if (atomic_fetch_add(&files, 1) >= HELD_FILES || atomic_load(&held) >= HELD_BYTES)
        err_set(e, ERR_BUSY, "too many exports wait for those who read them; try again when some have ended");
    else
        fd = spool_scratch(spool, e);
    if (fd < 0)
        atomic_fetch_sub(&files, 1);
    return fd;
}

void held_grow(uint64_t bytes) { atomic_fetch_add(&held, bytes); }

void held_close(int fd, uint64_t bytes)
{
    close(fd);
    atomic_fetch_sub(&held, bytes);
    atomic_fetch_sub(&files, 1);
}
