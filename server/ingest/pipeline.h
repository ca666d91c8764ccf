/* Private: what ingest.c (threads, queue, transactions) and reading.c (one file) share. */
#ifndef INGEST_PIPELINE_H
#define INGEST_PIPELINE_H

#include "ingest/ingest.h"

#include <pthread.h>
#include <stdlib.h>

enum { QUEUE_RUNS = 256 };

/* One file on its way: done when it was read to its end and none of its runs waits any more. */
struct open_file {
    struct file_row row;
    struct arena arena;     /* of row's slices */
    atomic_int holders;     /* the reader, and each run in the queue */
    atomic_bool complete;   /* read to its end, every run stored: may be remembered */
};

struct waiting_run {
    struct open_file *file;
    struct arena *arena;    /* malloc'd; the receiver owns it */
    struct run *run;
    struct put_name name;
};

/* How often each hash was seen. */
struct hash_count {
    unsigned char hash[HASH_SIZE];
    uint32_t seen;
};

struct hash_counts {
    struct hash_count *items; /* open addressing, a power of two */
    size_t n, cap;
};

struct file_list {
    const struct source_file **items;
    size_t n, cap;
};

struct pipeline {
    const struct ingest_options *options;
    const struct source_files *files;
    struct ingest_report *report;
    struct arena *arena;         /* the report's, under the lock */
    struct slices tasks;         /* touched, under the lock */
    struct common_errors common; /* while tasks are looked at; in common_arena */
    struct arena common_arena;
    struct findings carried;     /* of an export, about tasks; under the lock */
    struct collection_row limits; /* keep and quota of an export's collection, which hold once its runs are in; under the lock */
    int64_t started, last_progress;
    atomic_uint_fast64_t seen;   /* bytes read; those of a zip twice */
    int64_t imported;            /* the time that all runs of this import bear */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct waiting_run queue[QUEUE_RUNS]; /* a ring */
    size_t first, waiting, waiting_bytes;
    struct file_list todo, later; /* later: of the same bytes as one of todo */
    struct hash_counts hashes;   /* of the files of todo */
    size_t next_file, readers;   /* readers: files being read */
    bool second_pass;            /* over what was put off */
    size_t next_task;
    struct worker *workers;
    atomic_bool stop;            /* a thread failed */
};

struct worker {
    struct pipeline *p;
    struct store *store;
    struct put *put;
    struct detect_scratch *scratch;
    struct regex_scratch *regex; /* of what redacts */
    struct arena arena;          /* of one run's findings, then reset */
    struct open_file **held;     /* files with runs in `put`: finished at its commit */
    size_t nheld, held_cap;
};

/* An arena that was malloc'd, with all it holds. */
static inline void arena_discard(struct arena *a)
{
    arena_free(a);
    free(a);
}

bool pipe_stopped(const struct pipeline *p);
/* Under the lock. */
void pipe_progress(struct pipeline *p);
/* Into the report's list, or its count when the list is full. Redacted, as messages may quote what they are about. */
void pipe_error(struct pipeline *p, struct slice source, struct slice location, enum err_code code, const char *message);
/* Who redacts on this worker's thread, into `a`; without secrets to look for, nobody must. */
struct redaction pipe_redaction(const struct worker *w, struct arena *a);
/* Puts a run into the queue; false: there is no room, and the reader handles it itself. */
bool pipe_offer(struct pipeline *p, const struct waiting_run *item);
/* One run: known already? else detect, prepare, and commit when enough is prepared. Takes over the run's arena and its hold on
 * the file. */
bool run_handle(struct worker *w, struct waiting_run *item, struct err *e);
/* Lets go of a file; the last holder remembers it at its next commit, when all its runs are in the store. */
void file_release(struct worker *w, struct open_file *file);
/* Under the lock. */
void file_list_add(struct arena *a, struct file_list *list, const struct source_file *file);
/* Reads one file, unless its bytes are known or another of the same bytes is being read (then it is put off). False: the import
 * cannot go on. */
bool file_read(struct worker *w, const struct source_file *source, struct err *e);

/* After the files of the first pass: counts the companions that were read with their main files; the others are put off to the next. */
void files_taken(struct pipeline *p);

#endif
