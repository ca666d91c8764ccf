/* Logs: one line on stderr each, as text ("TIME LEVEL WORDS name=value …") or as a JSON object. Thread-safe. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum { LOG_LEVELS = 4 };

/* Lines under `level` are not written. The default is LOG_INFO; `--quiet` sets LOG_ERROR. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);
/* By its name ("debug", "info", "warning", "error"). */
bool log_level_parse(struct slice name, enum log_level *out);
void log_set_json(bool json);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

/* What may fail many times a second is told once, then once a minute while it lasts, and once when it is over. Any thread; {0} at first. */
struct log_trouble { atomic_int_fast64_t told_at; /* monotonic; 0: there is none */ };
/* It fails: is it to be told now? */
bool log_trouble_due(struct log_trouble *t);
/* It works: was it told that it did not? */
bool log_trouble_over(struct log_trouble *t);

/* What happened, with names and values that programs read: an absent text is left out, of a long one the beginning stands there. */
struct log_field {
    const char *name;
    enum { LOG_TEXT, LOG_NUMBER, LOG_MS /* microseconds, told as milliseconds */ } type;
    struct slice text;
    int64_t number;
};
static inline struct log_field log_str(const char *name, struct slice text) { return (struct log_field){name, LOG_TEXT, text, 0}; }
static inline struct log_field log_num(const char *name, int64_t number) { return (struct log_field){name, LOG_NUMBER, SLICE_NONE, number}; }
static inline struct log_field log_ms(const char *name, int64_t us) { return (struct log_field){name, LOG_MS, SLICE_NONE, us}; }
void log_event(enum log_level level, const char *what, const struct log_field *fields, size_t n);
#define log_fields(level, what, ...) \
    log_event(level, what, (const struct log_field[]){__VA_ARGS__}, sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
