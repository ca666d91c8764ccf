/* The programs that a command line of a shell runs, in their order. Not a shell: what is not understood is left out, never guessed. */
#ifndef TEXT_SHELL_H
#define TEXT_SHELL_H

#include "base/arena.h"
#include "base/slice.h"

enum { SHELL_PROGRAM_MAX = 32 }; /* bytes of a program's name */

/* Names of programs, at most `max`, one after the other alike only once: "cd a && grep x f | sort" is cd, grep, sort. Told without their
 * folder; one that is called by a path outside the usual ones (./solve) is "./". sudo, env, timeout and their like are looked through, as is
 * the text behind `bash -c`; here-documents, comments, quotes and $(…) are no commands. Linear in `command`; names live in `a`, which is
 * also where texts are unquoted. Returns how many. */
size_t shell_programs(struct arena *a, struct slice command, struct slice *out, size_t max);

#endif
