/* What a scan found, weighed (is it known? does it fail the scan?) and written for people and for programs of continuous integration. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "base/map.h"
#include "cli/cli.h"

#include <stdio.h>

/* 32 hexadecimal digits, then ":N" for the Nth of findings that are alike. */
enum { FINGERPRINT_TEXT = 2 * HASH_SIZE + 12 };

/* ---- what is known already (baseline.c) ------------------------------------------------------------------------------- */

/* A line of a baseline. A finding is known by its fingerprint; the rest is for who reads the file, and for reports of what is gone. */
struct baseline_line {
    struct slice fingerprint, severity, detector, subject, title; /* subject: the run or the task */
    bool seen;                 /* it was found again */
};
struct baseline {
    struct baseline_line *lines;
    size_t n, cap;
    struct map by_fingerprint; /* index in lines + 1 */
};
/* ERR_USAGE where the file is no baseline. All lives in `a`. */
bool baseline_read(const char *path, struct arena *a, struct baseline *out, struct err *e);
void baseline_add(struct arena *a, struct baseline *b, const struct baseline_line *line);
/* Sorts the lines and writes them; the file is replaced at once or not at all. */
bool baseline_write(const char *path, struct baseline *b, struct err *e);

/* What names a finding on every machine and after every change that leaves its words alone: the rule's id (not its version), the run or task by
 * its own name, and the words of the evidence with the part that they stand in. A run that has no name but its place in the file goes by the
 * file's name and its task, so that lines may move. */
void finding_fingerprint(const struct finding_row *row, unsigned char out[HASH_SIZE]);

/* ---- the report (report.c) -------------------------------------------------------------------------------------------- */

/* A finding of a report. Its words are loaded when they are written, so that a report of any length takes little memory. */
struct reported {
    struct slice id, run;      /* run: absent for a finding about a task or the collection */
    struct slice behavior;
    enum kind kind;
    enum severity severity;
    enum finding_status status;
    char fingerprint[FINGERPRINT_TEXT + 1];
    bool known;                /* it stands in the baseline */
    bool fails;                /* at --fail-on or over, not dismissed, not known */
};

struct report {
    struct cli *cli;
    struct store *store;
    struct collection_row collection;
    const struct ruleset *rules;
    struct reported *items;    /* most severe first */
    size_t n, cap, failing;
    bool has_baseline;
    struct baseline baseline;
    struct slice more;         /* further members of the document that --json prints, as in rows_end */
    bool whole;                /* all findings of the collection were asked for: what is not here is gone */
    bool since;                /* only these runs count: */
    struct map newer;          /* their ids */
};

/* What a scan was asked for. */
struct report_request {
    const struct filter *filter;
    const char *fail_on, *baseline, *write_baseline, *changed_since; /* NULL: not given */
    bool of_files;             /* the collection is one import of files, made for this scan */
    bool partial;              /* the filter asks for more than the collection */
    int64_t limit;             /* findings at most */
    struct slice sort;
};
/* Reads the findings that the filter names. `r` comes with cli, store, the collection's id and rules; all else is filled in and lives in cli->arena. */
bool report_gather(struct report *r, const struct report_request *q, struct err *e);

/* The whole finding, in an arena of the caller's. */
bool report_load(const struct report *r, const struct reported *item, struct arena *a, struct finding_row *out, struct err *e);
/* The run that evidence stands in, or of a finding without evidence the finding's own; *has false: there is none. */
bool report_run(const struct report *r, const struct finding_row *row, const struct evidence *ev, struct arena *a, struct run *out, bool *has,
                struct err *e);
/* The line of the file at which a run's record stands; 0 where the source does not say, or the file is no text. */
uint64_t source_line(const struct source *source);
/* "run r1, message 12, call:0.arguments" */
void add_place(struct str *out, const struct evidence *ev, const struct run *run);
/* What names the run or task that a finding is about. */
struct slice finding_subject(const struct finding_row *row);
/* Prints what was gathered in `text` and empties it; ERR_TOO_LARGE where it did not fit. */
bool report_print(struct str *text, struct err *e);
enum { REPORT_TEXT = 64 << 20 }; /* bytes of one finding in any of the forms */

/* The forms of --output for findings: rows for table, json, jsonl and csv, and one file each for the others. */
struct report_kind {
    const char *name;
    bool (*write)(struct report *r, struct err *e);
};
extern const struct report_kind report_kinds[]; /* ends with a NULL name */
const struct report_kind *report_kind_find(const char *name); /* NULL: there is none */
/* As --output says. */
bool report_write(struct report *r, struct err *e);

bool report_rows(struct report *r, struct err *e);
bool report_sarif(struct report *r, struct err *e);
bool report_junit(struct report *r, struct err *e);
bool report_github(struct report *r, struct err *e);
bool report_html(struct report *r, struct err *e);

#endif
