#include "cli/cli.h"

#include "ingest/ownrules.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

atomic_bool cli_stop, cli_stop_at_once;

const struct option_row *cli_option_row(const struct option_row *rows, const char *name, size_t len, char letter)
{
    for (; rows && rows->name; rows++)
        if (letter ? rows->letter == letter : strlen(rows->name) == len && memcmp(rows->name, name, len) == 0)
            return rows;
    return NULL;
}

const char *cli_option(const struct cli *cli, const char *name)
{
    for (size_t i = cli->noptions; i-- > 0;)
        if (strcmp(cli->options[i].row->name, name) == 0)
            return cli->options[i].value;
    return NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
    for (size_t i = 0; i < cli->noptions; i++)
        if (strcmp(cli->options[i].row->name, name) == 0)
            return true;
    return false;
}

struct slice cli_arguments(struct cli *cli, size_t first)
{
    struct slice text = slice_str("");
    for (size_t i = first; i < cli->nargs; i++)
        text = arena_printf(&cli->arena, "%.*s%s%s", SLICE_ARG(text), i > first ? " " : "", cli->args[i]);
    return text;
}

struct slices cli_options(struct cli *cli, const char *name)
{
    struct slices list = {0};
    for (size_t i = 0; i < cli->noptions; i++)
        if (strcmp(cli->options[i].row->name, name) == 0) {
            list.items = arena_grow(&cli->arena, list.items, list.n, &list.cap, sizeof *list.items);
            list.items[list.n++] = slice_str(cli->options[i].value);
        }
    return list;
}

/* The options that are numbers, by name: whole ones and others. */
static const struct { const char *option; int64_t least, most; } wholes[] = {
    {"workers", 1, INT32_MAX},   {"jobs", 1, INT32_MAX}, {"limit", 1, INT64_MAX}, {"timeout", 0, INT64_MAX},
    {"max-upload", 1, 1000000},  {"rate", 1, 1000000},   {"samples", 1, 64},      {"max-tokens", 1, 1000000},
    {"max-calls", 1, INT64_MAX}, {"paired", 0, 64},      {"seed", 0, INT64_MAX},
}, decimals[] = {
    {"temperature", 0, 2}, {"max-usd", 0, 1000000},
};

static bool check_whole(const char *name, const char *value, long long least, long long most, struct err *e)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (!errno && !*end && end != value && n >= least && n <= most)
        return true;
    return most >= INT32_MAX ? err_set(e, ERR_USAGE, "%s takes a whole number, %lld or more, not '%s'", name, least, value)
                             : err_set(e, ERR_USAGE, "%s takes a whole number from %lld to %lld, not '%s'", name, least, most, value);
}

static bool check_decimal(const char *name, const char *value, long long least, long long most, struct err *e)
{
    char *end;
    double x = strtod(value, &end);
    return (!*end && end != value && x >= (double)least && x <= (double)most) ||
           err_set(e, ERR_USAGE, "%s takes a number from %lld to %lld, such as 0.75, not '%s'", name, least, most, value);
}

bool cli_option_check(const struct option_row *row, const char *value, struct err *e)
{
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++)
        if (strcmp(wholes[i].option, row->name) == 0)
            return check_whole(row->name, value, wholes[i].least, wholes[i].most, e);
    for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++)
        if (strcmp(decimals[i].option, row->name) == 0)
            return check_decimal(row->name, value, decimals[i].least, decimals[i].most, e);
    return true;
}

int64_t cli_number(const struct cli *cli, const char *name, int64_t otherwise)
{
    const char *text = cli_option(cli, name);
    return text ? strtoll(text, NULL, 10) : otherwise;
}

int cli_fail(const struct err *e)
{
    fprintf(stderr, "telltale: %s\n", e->text);
    return err_exit_status(e->code);
}

/* "list, add or delete" */
static struct slice verb_list(struct cli *cli, const struct verb *verbs)
{
    struct slice out = slice_str(verbs->name);
    for (const struct verb *v = verbs + 1; v->name; v++)
        out = arena_printf(&cli->arena, "%.*s%s%s", SLICE_ARG(out), v[1].name ? ", " : " or ", v->name);
    return out;
}

static bool find_verb(struct cli *cli, const struct verb *verbs, const struct verb **out, struct err *e)
{
    const char *command = cli->command->name, *name = cli->nargs ? cli->args[0] : verbs->name;
    size_t n = cli->nargs ? cli->nargs : 1;
    const struct verb *v = verbs;
    while (v->name && strcmp(v->name, name) != 0)
        v++;
    *out = v;
    if (!v->name)
        return err_set(e, ERR_USAGE, "%s what? %.*s, not '%s'", command, SLICE_ARG(verb_list(cli, verbs)), name);
    if (n >= v->min_args && n <= v->max_args)
        return true;
    return v->needs ? err_set(e, ERR_USAGE, "%s %s needs %s", command, name, v->needs)
                    : err_set(e, ERR_USAGE, "%s %s takes no '%s'", command, name, cli->args[1]);
}

int cli_verb(struct cli *cli, const struct verb *verbs)
{
    struct err e = {0};
    struct store *store = NULL;
    const struct verb *verb;
    bool ok = find_verb(cli, verbs, &verb, &e) && cli_open(cli, verb->mode, &store, &e) && verb->run(cli, store, &e);
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}

/* Makes the folders above a file that does not exist yet. */
static bool make_folders(struct cli *cli, const char *file, struct err *e)
{
    char *path = arena_strdup(&cli->arena, slice_str(file));
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return err_errno(e, "cannot make the folder %s", path);
        *slash = '/';
    }
    return true;
}

bool cli_open(struct cli *cli, enum store_mode mode, struct store **out, struct err *e)
{
    const char *file = strncmp(cli->db, "sqlite:", 7) == 0 ? cli->db + 7 : cli->db;
    if (mode == STORE_WRITE && !make_folders(cli, file, e))
        return false;
    return store_open(cli->db, mode, out, e);
}

struct rulebook_options cli_rulebook_options(struct cli *cli)
{
    struct slices paths = cli_options(cli, "rules");
    const char **list = arena_array(&cli->arena, const char *, paths.n + 1);
    for (size_t i = 0; i < paths.n; i++)
        list[i] = paths.items[i].ptr;
    return (struct rulebook_options){.paths = list, .npaths = paths.n, .config = cli->config ? cli->config : cli_option(cli, "config"),
                                     .redact = cli->redact || cli_flag(cli, "redact")};
}

bool cli_book(struct cli *cli, struct err *e)
{
    if (cli->book)
        return true;
    const struct rulebook_options o = cli_rulebook_options(cli);
    struct problems problems = {0};
    if (!rulebook_load(&o, &cli->arena, &problems, &cli->book, e))
        return false;
    cli->nproblems = problems.n;
    for (size_t i = 0; i < problems.n; i++) {
        const struct problem *p = &problems.items[i];
        fprintf(stderr, "%.*s:%d:%d: %.*s\n", SLICE_ARG(p->file), p->line, p->column, SLICE_ARG(p->message));
    }
    return true;
}

bool cli_rules(struct cli *cli, struct store *store, struct slice collection, struct ruleset **out, struct err *e)
{
    if (!cli_book(cli, e))
        return false;
    if (store)
        return rules_for(store, cli->book, collection, out, e);
    *out = rulebook_for(cli->book, collection);
    return true;
}

bool cli_secrets(struct cli *cli, struct secrets **out, struct err *e)
{
    if (!cli_book(cli, e))
        return false;
    *out = rulebook_secrets(cli->book);
    return true;
}

bool cli_collection(struct cli *cli, struct store *store, struct collection_row *out, struct err *e)
{
    const char *name = cli_option(cli, "collection");
    if (name)
        return store_collection(store, slice_str(name), &cli->arena, out, e);
    struct collection_rows rows;
    struct page page = {.limit = 2};
    if (!store_collections(store, &page, &cli->arena, &rows, e))
        return false;
    if (rows.n != 1)
        return err_set(e, ERR_USAGE, rows.n ? "which collection? name it with -c (telltale collections lists them)"
                                            : "there is no collection yet; telltale import PATH makes one");
    *out = rows.items[0];
    return true;
}

bool cli_filter(struct cli *cli, struct slice collection, struct filter *out, struct err *e)
{
    static const char *const plain[] = {"kind", "behavior", "detector", "severity", "status", "scope", "task", "model", "agent", "tag", "success",
                                        "exit-status", "format", "run", "q", "has-findings"};
    static const char *const pairs[] = {"meta", "score", "range"};
    *out = FILTER_ANY;
    out->collection = collection;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        const char *value = cli_option(cli, plain[i]);
        char *name = arena_strdup(&cli->arena, slice_str(plain[i]));
        for (char *dash = name; (dash = strchr(dash, '-')); *dash = '_')
            continue;
        if (value && !filter_set(out, slice_str(name), slice_str(value), e))
            return err_prefix(e, "--%s", plain[i]);
    }
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        struct slices given = cli_options(cli, pairs[k]);
        for (size_t i = 0; i < given.n; i++) {
            ptrdiff_t equals = slice_find(given.items[i], slice_str("="));
            if (equals <= 0)
                return err_set(e, ERR_USAGE, "--%s takes NAME=VALUE, not '%.*s'", pairs[k], SLICE_ARG(given.items[i]));
            struct slice name = arena_printf(&cli->arena, "%s.%.*s", pairs[k], (int)equals, given.items[i].ptr);
            if (!filter_set(out, name, slice_sub(given.items[i], (size_t)equals + 1, SIZE_MAX), e))
                return err_prefix(e, "--%s", pairs[k]);
        }
    }
    return true;
}
