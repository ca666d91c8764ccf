/* The command line: one table of commands, each with its table of options, from which parsing and --help are made. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/arena.h"
#include "base/err.h"
#include "base/jsonw.h"
#include "base/version.h"
#include "detect/rulebook.h"
#include "storage/access.h"
#include "storage/store.h"

#include <jansson.h>
#include <stdatomic.h>

struct option_row {
    char letter;          /* 'c' for -c; 0: none */
    const char *name;     /* without the dashes */
    const char *value;    /* what stands after it ("FILE"); NULL: a flag */
    const char *help;
};

struct cli;

struct command {
    const char *name;
    const char *arguments;            /* as in a usage line */
    const char *about;                /* one line */
    const char *details;              /* paragraphs for its own --help; NULL: none */
    const struct option_row *options; /* ends with a NULL name */
    int min_args, max_args;           /* positional; max -1: any number */
    int (*run)(struct cli *cli);      /* gives the exit status */
};
extern const struct command commands[]; /* ends with a NULL name */
extern const struct option_row global_options[]; /* those that every command takes */
/* The next of what a command does when its arguments are alternatives, "list | show ID | lint FILE...": the words of one, the first of them (which
 * is in lower case: the user types it) and what it does. `rest` begins as the command's arguments; false: there are no more. */
struct way {
    struct slice text, word;
    const char *about;
};
bool cli_way(const struct command *c, struct slice *rest, struct way *out);
/* The row of that name, or, with a letter (else 0), of that letter; NULL: none. `rows` may be NULL. */
const struct option_row *cli_option_row(const struct option_row *rows, const char *name, size_t len, char letter);

enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_JSONL, OUTPUT_CSV };

enum { CLI_OPTIONS = 64 };

struct cli {
    const struct command *command;
    const char *db;           /* --db, else $TELLTALE_DB, else telltale.db in the user's data folder */
    bool quiet;
    enum output output;
    const struct report_kind *report; /* what --output names instead; NULL: one of `output` */
    struct arena arena;       /* of the whole command */
    struct actor actor;       /* who calls, as the log of changes has them */
    const char **args;        /* positional */
    size_t nargs;
    struct { const struct option_row *row; const char *value; } options[CLI_OPTIONS];
    size_t noptions, nsettings; /* the last nsettings of them are those of telltale.yaml, whose texts live in `settings` */
    struct arena settings;
    const char *config;       /* telltale.yaml that cli_settings found something in: from then on its absence is no "no settings"; or NULL */
    struct rulebook *book;    /* NULL until rules are asked for */
    bool redact;              /* as if --redact were given: the command is about nothing else */
    size_t nproblems;         /* in its rules and settings */
};

/* Set by SIGINT and SIGTERM; long work looks at it. */
extern atomic_bool cli_stop;
/* Set by a command that only reads, in one long question that cannot look: those signals then end the program on the spot. */
extern atomic_bool cli_stop_at_once;

/* The last value given for an option, or NULL; whether a flag was given; all values of one that may repeat. */
const char *cli_option(const struct cli *cli, const char *name);
bool cli_flag(const struct cli *cli, const char *name);
struct slices cli_options(struct cli *cli, const char *name);
/* The arguments from `first` on, with blanks between them. */
struct slice cli_arguments(struct cli *cli, size_t first);
/* Is that a value for this option, where it is a number? ERR_USAGE names what it takes. Asked wherever options are read. */
bool cli_option_check(const struct option_row *row, const char *value, struct err *e);
/* The number that an option gives, or `otherwise` when it was not given. */
int64_t cli_number(const struct cli *cli, const char *name, int64_t otherwise);

/* Takes the options that telltale.yaml has under the command's name (serve: {listen: "0.0.0.0:8787", workers: 4}): keys are the names of options,
 * a flag is true or false, a list is an option given more than once, and a path is seen from the folder of the file. What the command line
 * names is left to it. Once more (the file has changed), and they take the place of those before, whose texts end; ERR_USAGE says where the
 * file is wrong, ERR_FORMAT that one that was there is gone or empty, and then nothing has changed. */
bool cli_settings(struct cli *cli, struct err *e);

/* Says the error on stderr and gives its exit status. */
int cli_fail(const struct err *e);

/* What the first argument of a command tells it to do. */
struct verb {
    const char *name;
    bool (*run)(struct cli *cli, struct store *store, struct err *e);
    enum store_mode mode;      /* how the store is opened for it */
    size_t min_args, max_args; /* with the verb itself */
    const char *needs;         /* that many, in words: "a URL"; NULL: it takes no more than the verb */
};
/* Does what the first argument says, without one the first of `verbs`, which end with a NULL name; gives the exit status. */
int cli_verb(struct cli *cli, const struct verb *verbs);

/* Opens the database for reading or writing (its folder is made); on failure says why. */
bool cli_open(struct cli *cli, enum store_mode mode, struct store **out, struct err *e);
/* The rules for a collection of that name (absent: for none in particular): the shipped pack and --rules, with the settings of --config;
 * problems go to stderr; and with a store (else NULL) the rules of one's own. The caller's until ruleset_unref, at the latest the program's end. */
struct rulebook_options cli_rulebook_options(struct cli *cli);
bool cli_book(struct cli *cli, struct err *e); /* into cli->book, once */
bool cli_rules(struct cli *cli, struct store *store, struct slice collection, struct ruleset **out, struct err *e);
/* What is to be redacted, by --redact or telltale.yaml; NULL: nothing. The caller's until secrets_unref. */
bool cli_secrets(struct cli *cli, struct secrets **out, struct err *e);
/* The collection that -c names; without -c the only one there is. */
bool cli_collection(struct cli *cli, struct store *store, struct collection_row *out, struct err *e);

/* ---- rows ---------------------------------------------------------------------------------------------------------- */

enum { CSV_ONLY = -1 };
struct column {
    const char *title;
    const char *path;    /* into the row's JSON: "source.file", "findings.broken_task" */
    int width;           /* of the table at most; 0: as wide as it is; CSV_ONLY: not in the table */
    bool right;
};

/* Writes rows as --output says. */
struct rows {
    enum output output;
    const struct column *columns; /* ends with a NULL title */
    size_t count;
    json_t *held;                 /* a table's rows, until its widths are known */
    struct str text;              /* of the row under way */
    struct jsonw writer;          /* of that text */
};
struct rows rows_start(const struct cli *cli, const struct column *columns);
/* A row is one object of JSON: it is written between these two, or there already. */
struct jsonw *rows_next(struct rows *rows);
void rows_add(struct rows *rows);
void rows_add_text(struct rows *rows, struct slice object);
/* `more`: further members of the one object that --json prints ('"a":1'), or absent. */
void rows_end(struct rows *rows, struct slice more);
void rows_drop(struct rows *rows); /* instead, where an error comes before their end */

/* A filter from the options in RUN_OPTIONS; lists have FILTER_OPTIONS, which say how they are sorted and where they end too. */
bool cli_filter(struct cli *cli, struct slice collection, struct filter *out, struct err *e);
#define RUN_OPTIONS \
    {'c', "collection", "NAME", "the collection (a name or an id); may be left out when there is only one"}, \
    {0, "kind", "KIND", "broken_task, odd_behavior, near_miss, harness, data; several with commas, here and below"}, \
    {0, "behavior", "NAME", "a behaviour, such as missing-program"}, \
    {0, "detector", "ID", "a detector"}, \
    {0, "severity", "LEVEL", "low, medium, high"}, \
    {0, "status", "STATUS", "open, confirmed, dismissed"}, \
    {0, "task", "ID", "a task"}, \
    {0, "model", "NAME", "a model"}, \
    {0, "agent", "NAME", "an agent"}, \
    {0, "success", "VALUE", "true, false, unknown"}, \
    {0, "tag", "TAG", "a tag"}, \
    {0, "q", "WORDS", "words in name, task, id, status, error or title"}, \
    {0, "exit-status", "STATUS", "how it ended"}, \
    {0, "format", "NAME", "the format that it was read from"}, \
    {0, "meta", "KEY=VALUE", "a field of the metadata; may repeat"}, \
    {0, "score", "NAME=VALUE", "a score; may repeat"}, \
    {0, "range", "FIELD=LOW..HIGH", "messages, calls, tokens, cost, duration (seconds), findings, attempt, started_at, ended_at, score.NAME " \
     "or meta.KEY between these, either of which may be missing; may repeat"}, \
    {0, "has-findings", "BOOL", "true: only what has findings"}
#define FILTER_OPTIONS \
    RUN_OPTIONS, \
    {0, "sort", "FIELDS", "sort keys, - in front for descending"}, \
    {0, "limit", "N", "at most so many rows"}

extern const struct column finding_columns[]; /* of view_finding() */

/* The commands, one file each (cmd_*.c). */
int cmd_serve(struct cli *cli);
int cmd_prune(struct cli *cli);
int cmd_vacuum(struct cli *cli);
int cmd_redact(struct cli *cli);
int cmd_import(struct cli *cli);
int cmd_scan(struct cli *cli);
int cmd_collections(struct cli *cli);
int cmd_runs(struct cli *cli);
int cmd_tasks(struct cli *cli);
int cmd_findings(struct cli *cli);
int cmd_incomplete(struct cli *cli);
int cmd_compare(struct cli *cli);
int cmd_search(struct cli *cli);
int cmd_sql(struct cli *cli);
int cmd_rules(struct cli *cli);
int cmd_judge(struct cli *cli);
int cmd_formats(struct cli *cli);
int cmd_man(struct cli *cli);
int cmd_completion(struct cli *cli);
int cmd_labels(struct cli *cli);
int cmd_export(struct cli *cli);
int cmd_delete(struct cli *cli);
int cmd_tag(struct cli *cli);
int cmd_review(struct cli *cli);
int cmd_exceptions(struct cli *cli);
int cmd_token(struct cli *cli);
int cmd_audit(struct cli *cli);
int cmd_mcp(struct cli *cli);
int cmd_webhook(struct cli *cli);
int cmd_check(struct cli *cli);
int cmd_backup(struct cli *cli);
int cmd_docs(struct cli *cli);

#endif
