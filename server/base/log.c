#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int threshold = LOG_INFO;
static const char *const names[] = {"debug", "info", "warning", "error"};

void log_set_level(enum log_level level) { threshold = (int)level; }

void log_write(enum log_level level, const char *format, ...)
{
    if ((int)level < threshold)
        return;
    char now[CLOCK_TEXT], line[2048];
    clock_text(clock_now_us(), now);
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    /* One call, so that lines of several threads do not mix. A control character would let a log line forge another. */
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    fprintf(stderr, "%s %s %s\n", now, names[level], line);
}
