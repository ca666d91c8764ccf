/* What the pieces of a story share. */
#ifndef VIEW_STORY_IN_H
#define VIEW_STORY_IN_H

#include "base/map.h"
#include "base/str.h"
#include "view/story.h"

enum {
    STORY_FINDINGS = 50,          /* of one behaviour */
    STORY_OPEN = 3,               /* of them, those that stand there unfolded */
    STORY_RUNS = 80,              /* runs that can be read in the file */
    STORY_RUNS_OF_FINDING = 3,    /* that one finding adds */
    STORY_CITES = 24,             /* places in a run that are sure to be shown */
    STORY_TASKS = 150,            /* rows of the grid */
    STORY_MODELS = 30,            /* in the list of models */
    STORY_COLUMNS = 10,           /* of them, those in the grid */
    STORY_LISTED = 1000,          /* rows of the list of runs */
    STORY_PIECE = 64 << 20,       /* bytes between two writes */
    STORY_TRANSCRIPTS = 16 << 20, /* bytes of transcripts after which only the beginning of each message is shown */
};

/* A place in a run that a finding of the story points to. */
struct cite {
    int32_t transcript, message;
    struct slice part;
    uint32_t start, end;
    enum kind kind;
    struct slice title;           /* of the finding */
};
struct cited_run {
    struct slice id;
    struct cite at[STORY_CITES];
    size_t n;
};

struct story_writer {
    const struct story *st;
    const struct export_sink *sink;
    struct collection_row collection;
    struct str text;
    uint64_t written;
    struct arena a;               /* of one finding, run or page of rows */
    struct arena keep;
    struct cited_run *runs;       /* those that can be read in the file */
    size_t nruns, cap, left_out;  /* left_out: cited, and not in the file */
    struct map by_run;            /* index in runs + 1; SIZE_MAX: left out */
};

/* Hands on what was written so far; ERR_TOO_LARGE where a piece was over STORY_PIECE, ERR_CANCELLED where the story was stopped. */
bool story_flush(struct story_writer *w, struct err *e);
void story_put(struct story_writer *w, const char *markup);
void story_text(struct story_writer *w, struct slice s);
/* 1234567 as 1,234,567 */
void story_number(struct story_writer *w, int64_t n);
/* "1 run", "1,234 runs" */
void story_count(struct story_writer *w, int64_t n, const char *one, const char *many);
/* task, model, outcome and source of a run */
void story_run_line(struct story_writer *w, const struct run *run);
struct slice story_run_name(const struct run *run);

/* story_sums.c */
void story_sentence(struct story_writer *w, const struct summary *s);
void story_models(struct story_writer *w, const struct summary *s);
bool story_tasks(struct story_writer *w, const struct summary *s, struct err *e); /* the grid */
bool story_run_list(struct story_writer *w, struct err *e); /* runs with findings */
/* story_runs.c: the transcripts of the cited runs */
bool story_runs(struct story_writer *w, struct err *e);

#endif
