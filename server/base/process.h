/* What this process takes of the machine, as Linux tells it. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdint.h>

struct process_use {
    int64_t resident_bytes, open_files, most_files; /* -1: not known */
    double cpu_seconds;
};
void process_use(struct process_use *out);
/* Seconds since 1970; that of the first call, which main makes. */
double process_started(void);

#endif
