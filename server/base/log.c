#include "base/log.h"

#include "base/clock.h"
#include "base/jsonw.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 16384, VALUE_MAX = 1000, TROUBLE_EVERY_US = 60000000 };

static atomic_int threshold = LOG_INFO;
static atomic_bool as_json;
static const char *const names[LOG_LEVELS] = {[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warning", [LOG_ERROR] = "error"};

void log_set_level(enum log_level level) { threshold = (int)level; }
bool log_is_on(enum log_level level) { return (int)level >= threshold; }
void log_set_json(bool json) { atomic_store(&as_json, json); }

bool log_level_parse(struct slice name, enum log_level *out)
{
    for (int i = 0; i < LOG_LEVELS; i++)
        if (slice_is(name, names[i]))
            return *out = (enum log_level)i, true;
    return false;
}

bool log_trouble_due(struct log_trouble *t)
{
    int_fast64_t now = clock_monotonic_us(), told = atomic_load(&t->told_at);
    return (!told || now - told >= TROUBLE_EVERY_US) && atomic_compare_exchange_strong(&t->told_at, &told, now);
}

bool log_trouble_over(struct log_trouble *t) { return atomic_load(&t->told_at) && atomic_exchange(&t->told_at, 0); }

static void write_json(struct str *line, enum log_level level, const char *now, const char *what, const struct log_field *fields, size_t n)
{
    struct jsonw j = jsonw_to(line);
    jsonw_object(&j);
    jsonw_kstrz(&j, "time", now);
    jsonw_kstrz(&j, "level", names[level]);
    jsonw_kstrz(&j, "message", what);
    for (size_t i = 0; i < n; i++)
        switch (fields[i].type) {
        case LOG_TEXT:
            if (fields[i].text.ptr)
                jsonw_kstr(&j, fields[i].name, slice_cut(fields[i].text, VALUE_MAX));
            break;
        case LOG_NUMBER: jsonw_kint(&j, fields[i].name, fields[i].number); break;
        case LOG_MS: jsonw_knum(&j, fields[i].name, (double)fields[i].number / 1000); break;
        }
    jsonw_end(&j);
}

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || strchr("\"=\\", text.ptr[i]))
            return false;
    return text.len > 0;
}

static void write_text(struct str *line, enum log_level level, const char *now, const char *what, const struct log_field *fields, size_t n)
{
    str_printf(line, "%s %s %s", now, names[level], what);
    for (size_t i = 0; i < n; i++)
        switch (fields[i].type) {
        case LOG_TEXT:
            if (!fields[i].text.ptr)
                break;
            str_printf(line, " %s=", fields[i].name);
            if (is_plain(fields[i].text)) {
                str_add_slice(line, slice_cut(fields[i].text, VALUE_MAX));
            } else {
                str_addc(line, '"');
                jsonw_escape(line, slice_cut(fields[i].text, VALUE_MAX));
                str_addc(line, '"');
            }
            break;
        case LOG_NUMBER: str_printf(line, " %s=%lld", fields[i].name, (long long)fields[i].number); break;
        case LOG_MS: str_printf(line, " %s=%.3f", fields[i].name, (double)fields[i].number / 1000); break;
        }
}

void log_event(enum log_level level, const char *what, const struct log_field *fields, size_t n)
{
    if (!log_is_on(level))
        return;
    char now[CLOCK_TEXT];
    struct str line = STR_INIT(LINE_MAX_BYTES);
    clock_text(clock_now_us(), now);
    (atomic_load(&as_json) ? write_json : write_text)(&line, level, now, what, fields, n);
    /* A control character would let a log line forge another. */
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.ptr[i] < ' ' || line.ptr[i] == 0x7f)
            line.ptr[i] = ' ';
    /* One call, so that lines of several threads do not mix. */
    fprintf(stderr, "%.*s\n", (int)line.len, line.ptr);
    str_free(&line);
}

void log_write(enum log_level level, const char *format, ...)
{
    char words[2048];
    va_list args;
    if (!log_is_on(level))
        return;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    log_event(level, words, NULL, 0);
}
