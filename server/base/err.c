#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int http, exit;
} codes[] = {
    [ERR_NONE] = {"none", 200, 0},
    [ERR_USAGE] = {"bad_request", 400, 2},
    [ERR_NOT_FOUND] = {"not_found", 404, 3},
    [ERR_CONFLICT] = {"conflict", 409, 3},
    [ERR_REUSED] = {"idempotency_key_reused", 422, 3},
    [ERR_FORMAT] = {"bad_format", 422, 1},
    [ERR_NOT_TRANSCRIPT] = {"not_a_transcript", 422, 1},
    [ERR_TOO_LARGE] = {"too_large", 413, 1},
    [ERR_LIMIT] = {"limit", 422, 1},
    [ERR_CANCELLED] = {"cancelled", 409, 3},
    [ERR_UNAUTHENTICATED] = {"unauthenticated", 401, 3},
    [ERR_FORBIDDEN] = {"forbidden", 403, 3},
    [ERR_TOO_MANY] = {"too_many", 429, 3},
    [ERR_BUSY] = {"busy", 503, 3},
    [ERR_NEWER] = {"newer_database", 500, 3},
    [ERR_FULL] = {"disk_full", 507, 3},
    [ERR_QUOTA] = {"quota_reached", 507, 3},
    [ERR_IO] = {"io", 500, 3},
    [ERR_INTERNAL] = {"internal", 500, 3},
};

static bool err_set_va(struct err *e, enum err_code code, const char *format, va_list args)
{
    if (e) {
        e->code = code;
        vsnprintf(e->text, sizeof e->text, format, args);
    }
    return false;
}

bool err_set(struct err *e, enum err_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_set_va(e, code, format, args);
    va_end(args);
    return false;
}

bool err_errno(struct err *e, const char *format, ...)
{
    int number = errno;
    enum err_code code = number == ENOSPC || number == EDQUOT ? ERR_FULL : number == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    va_list args;
    va_start(args, format);
    err_set_va(e, code, format, args);
    va_end(args);
    if (e) {
        char reason[128];
        size_t n = strlen(e->text);
        snprintf(e->text + n, sizeof e->text - n, ": %s", strerror_r(number, reason, sizeof reason));
    }
    errno = number;
    return false;
}

bool err_prefix(struct err *e, const char *format, ...)
{
    if (!e)
        return false;
    char reason[sizeof e->text];
    memcpy(reason, e->text, sizeof reason);
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    size_t n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %.*s", (int)(sizeof e->text - n), reason);
    return false;
}

void err_hide_folder(struct err *e, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash || *path != '/' || slash == path)
        return;
    size_t n = (size_t)(slash - path) + 1;
    for (char *at = e->text; (at = memmem(at, strlen(at), path, n));)
        memmove(at, at + n, strlen(at + n) + 1);
}

const char *err_name(enum err_code code) { return codes[code].name; }
int err_http_status(enum err_code code) { return codes[code].http; }
int err_exit_status(enum err_code code) { return codes[code].exit; }
