/* Private: how much memory and time SQLite may take for a statement that a user wrote.
 *
 * SQLite 3.40 cannot be interrupted while it compiles a statement, and there are statements of a few lines whose compilation
 * takes hours and all memory (subqueries and common tables that double at each step). But it allocates all the while, and it is
 * well tested in meeting an allocation that fails: so a ration is kept in its allocator, for one thread. */
#ifndef STORAGE_RATION_H
#define STORAGE_RATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ration {
    int64_t deadline_us;           /* clock_monotonic_us() */
    int64_t bytes;                 /* left; freeing gives back */
    bool out_of_time, out_of_memory; /* what ended it: from then on every allocation fails */
    uint32_t calls;
};

/* Takes its place under SQLite; before SQLite is first used, by whichever thread comes first. */
void ration_install(void);
/* From here to ration_end the calling thread has what is in *r. */
void ration_begin(struct ration *r);
void ration_end(void);
/* Does the calling thread live on a ration? Then "out of memory" is the statement's fault. */
bool ration_active(void);

#endif
