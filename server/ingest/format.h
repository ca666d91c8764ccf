/* The table of formats. One row, one file of code: how to know a format and how to read it into runs. */
#ifndef INGEST_FORMAT_H
#define INGEST_FORMAT_H

#include "base/arena.h"
#include "base/err.h"
#include "text/jread.h"
#include "transcript/finding.h"
#include "transcript/run.h"

/* The files that belong to a file of some format: the simulations beside a results.json, the screenshots of a browser's run. */
struct companions {
    const struct slice *paths; /* from the folder that the rule starts in; sorted by bytes */
    size_t n;
    /* The bytes of the i-th, in `a`, which is the run's. False: it cannot be read, or is too large, or `a` is (e). */
    bool (*load)(void *ctx, size_t i, struct arena *a, struct slice *bytes, struct err *e);
    void *ctx;
    /* Where a rule with {stem} speaks of the main file: what the other rules name, which may be of thousands of main files and is to be asked
     * for by name. NULL: nothing, or all rules are such, and it is `paths`. */
    const struct companions *shared;
};
/* The first of the paths that is not before `prefix`. */
size_t companions_from(const struct companions *files, struct slice prefix);

/* Which files those are. Both are paths in which % stands for any run of characters without a slash, and in `beside` {stem} for
 * the main file's name without its extension. They start in the same folder: a main of "session/%/%.json" has it two levels up. */
struct companion_rule {
    const char *main;          /* "results.json" */
    const char *beside;        /* "simulations/%.json" */
};

/* One JSON value of a file, as split.h cuts it; of a text file some whole lines, as a J_STRING. */
struct record {
    struct slice file;        /* the file's path as people see it; of an archive of files, the entry's in it */
    struct slice name;        /* the file's or the archive entry's own name, without folders: what a single run without an id is called */
    struct slice member;      /* of an archive that is one log (an .eval): the entry's name; else absent */
    struct slice location;    /* "", "line 12", "[3]", the entry's name */
    struct jvalue *value;     /* the format may change it, as when it puts text in the place of references */
    uint64_t line;            /* where it begins, from 1, of a file that is read by lines */
    struct slice map;         /* --map, as given ("content=col,…"); absent: none */
    const struct companions *beside; /* NULL: none; also after a record whose format has loaded some: they are read once */
    size_t index;             /* of this record in the file, from 0 */
    bool only;                /* the file holds no other */
    /* Holds the value and its bytes; malloc'd. A format that makes one run of one record gives this very arena to sink->run and
     * sets it to NULL here; else it is freed after feed(). */
    struct arena **arena;
};

/* The first records of a file, what a format is recognised from. */
struct sample {
    struct slice file;
    const struct record *records;
    size_t n;
    bool whole;               /* these are all there are */
    bool document;            /* the file is one JSON value, not a list or lines */
    bool array;               /* the records are the elements of one top-level array */
    bool archive;             /* the records are entries of a zip */
    bool text;                /* no JSON: there is one record, a J_STRING of the first whole lines */
};

/* A line of an export that is no run: where it stands, and exactly one of the rest is set. */
struct carried {
    struct slice location;
    const struct jvalue *collection; /* of the header {"telltale": 1, "collection": {…}} */
    const struct blob *blob;         /* with its bytes */
    const struct finding *finding;   /* about a task or the collection */
    const struct jvalue *rubric, *label_set; /* what runs were judged by, and labels given in */
    const struct jvalue *rule;       /* of one's own, that findings come of */
    const struct jvalue *exception;  /* of a rule, that findings were set aside by */
};

/* Where a reader delivers: each finished run with its own arena, which the receiver then owns. A refused record is named. */
struct sink {
    /* Takes over `arena` (malloc'd), in which `run` and all it points to live. False stops the reading (cancelled, or it failed: e).
     * A run without external_id or source gets them on its way from the record that is being fed. */
    bool (*run)(void *ctx, struct arena *arena, struct run *run, struct err *e);
    /* A record that the format cannot read: stored in the report as {source, location, code, message}. */
    void (*refuse)(void *ctx, struct slice location, enum err_code code, const char *message);
    /* What a line of an export holds when it is no run (fmt_native only). Copied by the receiver if it is to last. */
    bool (*carry)(void *ctx, const struct carried *carried, struct err *e);
    /* Each record before the format reads it (it may change it); a format that has `rows` tells of them itself. NULL: nobody asks. */
    void (*record)(void *ctx, const struct jvalue *value);
    void *ctx;
};

struct format {
    const char *name;         /* stable: `--format NAME`, source.format */
    const char *about;        /* one line: what it is and how it is known, for `telltale formats` */
    int (*probe)(const struct sample *sample); /* 0: not mine; 100: certain */
    /* Reading keeps its state behind *state (NULL at first, malloc'd or whatever the format wants; closed by close). */
    bool (*feed)(void **state, const struct record *record, const struct sink *sink, struct err *e);
    bool (*close)(void **state, const struct sink *sink, struct err *e); /* end of file: delivers what is open, frees state */
    bool spills;              /* what it gathers has a limit of its own: one run's records may be more than memory takes */
    bool rows;                /* a record is text of many rows */
    /* Members that hold JSON of whatever shape, which comes back as it stood, keys that stand twice in it too; NULL: none. */
    const char *const *verbatim;
    /* Files that are read with a file of this format, and not by themselves; ended by a row of NULL. NULL: none. */
    const struct companion_rule *companions;
};

extern const struct format *const formats[];
extern const size_t format_count;
const struct format *format_find(struct slice name);

/* The best row for a sample, or NULL; then `why` says what it looks like and what was missing, for the `skipped` report.
 * A tie goes to the earlier row. */
const struct format *format_recognize(const struct sample *sample, struct arena *a, struct slice *why);

#endif
