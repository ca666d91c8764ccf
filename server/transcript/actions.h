/* What a run did, in brief: its tool calls as a row of names, so that runs can be compared, counted and laid side by side. Pure functions
 * of a run; what storage keeps of each run (run_digest) and summaries hand to detectors. */
#ifndef TRANSCRIPT_ACTIONS_H
#define TRANSCRIPT_ACTIONS_H

#include "transcript/run.h"

enum {
    ACTION_MAX = 80,          /* bytes of a name */
    ACTIONS_OF_CALL = 16,     /* of a longer command the first ones */
    DIGEST_ERRORS = 32,       /* error lines that are kept of a run: the last ones */
    DIGEST_REVISION = 2,      /* one more whenever the same run would give another digest */
};

struct action {
    struct slice name;        /* "bash: grep", "edit: create", "search" */
    uint32_t call;            /* the call's place among those of the run, over all its transcripts */
};
struct actions {
    struct action *items;
    size_t n, cap;
};

/* A call's actions: the programs of a shell's command (text/shell.h), else the tool, with the argument that says which of its actions is
 * meant (action, command, operation) where there is one. At least one. Names and list live in `a`; `scratch` is reset at the end: arguments
 * read as JSON take forty times their size. */
void actions_of_call(struct arena *a, struct arena *scratch, const struct tool_call *call, uint32_t place, struct actions *out);

/* A line that speaks of an error in a tool's result, a message's error or the run's. */
struct error_line {
    uint64_t hash;            /* of the line without what differs from run to run: numbers, paths, hexadecimal, times, what is quoted or in
                                 brackets, case, space */
    uint32_t message;         /* its place among those of the run, over all transcripts; UINT32_MAX: of run.error */
    bool in_error;            /* of the message's error, not its text */
    bool late;                /* in the last results of the run, or its error */
    uint32_t start, len;      /* of the line in that text */
};

struct run_digest {
    struct actions actions;
    struct error_line *errors; /* in the order of the run, each hash once: its last occurrence */
    size_t nerrors;
    uint32_t results, failed; /* tool results, and those with an error */
    uint64_t answer;          /* hash of what the first score says was answered, blind to space at its ends; 0: none */
};
/* Everything in `a`. */
void run_digest_make(struct arena *a, const struct run *run, struct run_digest *out);

/* The hash of an error line. */
uint64_t error_line_hash(struct slice line);

#endif
