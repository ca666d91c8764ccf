#include "base/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *temp_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/tmp";
}

static bool cannot(const char *what, struct err *e)
{
    const char *folder = temp_folder();
    if (errno == ENOSPC || errno == EDQUOT)
        return err_set(e, ERR_IO, "cannot %s a temporary file: there is no room left in %.200s; make room there, or name a folder that has more in TMPDIR, "
                                  "and try again", what, folder);
    return err_errno(e, "cannot %s a temporary file in %.200s", what, folder);
}

int temp_file(struct err *e)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/telltale-XXXXXX", temp_folder());
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        cannot("make", e);
    else
        unlink(path);
    return fd;
}

bool temp_write(int fd, const char *bytes, size_t n, struct err *e)
{
    for (size_t done = 0; done < n;) {
        ssize_t wrote = write(fd, bytes + done, n - done);
        if (wrote < 0 && errno != EINTR)
            return cannot("write", e);
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}
