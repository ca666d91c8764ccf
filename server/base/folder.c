#include "base/folder.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool folder_sync(const char *file, struct err *e)
{
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(file, '/');
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - file) + 1, file);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = (fd >= 0 && fsync(fd) == 0) || err_errno(e, "cannot write %s", folder);
    if (fd >= 0)
        close(fd);
    return ok;
}
