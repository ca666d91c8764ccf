#include "cli/cli.h"

#include "detect/pack.h"
#include "text/node.h"

static bool is_path(const struct option_row *row)
{
    return row->value && (strcmp(row->value, "FILE") == 0 || strcmp(row->value, "DIR") == 0 || strcmp(row->value, "PATH") == 0);
}

/* A path is seen from the folder of the file that names it. */
static const char *value_of(struct reader *r, const struct option_row *row, struct slice text)
{
    const char *file = r->file.ptr, *slash = strrchr(file, '/');
    if (is_path(row) && slash && text.len && text.ptr[0] != '/')
        return arena_printf(r->a, "%.*s/%.*s", (int)(slash - file), file, SLICE_ARG(text)).ptr;
    return arena_strdup(r->a, text);
}

static const struct option_row *find(const struct option_row *rows, struct slice name)
{
    while (rows->name && !slice_is(name, rows->name))
        rows++;
    return rows->name ? rows : NULL;
}

static bool add(struct cli *cli, struct reader *r, const struct option_row *row, const struct node *value)
{
    struct slice text;
    if (!row->value && value->type != NODE_BOOL)
        return node_problem(r, value, "%s is true or false, but this is %s", row->name, node_what(value));
    if (!node_string(r, value, row->name, &text))
        return false;
    if (memchr(text.ptr, '\0', text.len))
        return node_problem(r, value, "%s has a NUL character in it", row->name);
    struct err e = {0};
    const char *given = row->value ? value_of(r, row, text) : NULL;
    if (given && !cli_option_check(row, given, &e))
        return node_problem(r, value, "%s", e.text);
    if (cli->noptions == CLI_OPTIONS)
        return node_problem(r, value, "more than %d options", CLI_OPTIONS);
    if (row->value || value->boolean) {
        cli->options[cli->noptions].row = row;
        cli->options[cli->noptions++].value = given;
    }
    return true;
}

/* The options of the section, behind those that there are; what the command line names (the first `given`) is left to it. */
static bool read_section(struct cli *cli, struct reader *r, const struct node *section, size_t given)
{
    const char *known[CLI_OPTIONS + 1] = {NULL};
    size_t n = 0;
    for (const struct option_row *row = cli->command->options; row->name && n < CLI_OPTIONS; row++)
        if (strcmp(row->name, "config") != 0) /* it says where this file is */
            known[n++] = row->name;
    if (section->type != NODE_MAP)
        return node_problem(r, section, "%s: a map of options was expected, but this is %s", cli->command->name, node_what(section));
    if (!node_known_keys(r, section, cli->command->name, known))
        return false;
    for (size_t i = 0; i < section->n; i++) {
        const struct option_row *row = find(cli->command->options, section->keys[i].text);
        const struct node *each;
        bool taken = false;
        for (size_t k = 0; k < given && !taken; k++)
            taken = cli->options[k].row == row;
        for (size_t k = 0, many = taken ? 0 : node_each(&section->items[i], &each); k < many; k++)
            if (!add(cli, r, row, &each[k]))
                return false;
    }
    return true;
}

/* A file that a deploy has taken away, or emptied and not written yet, says no more of redaction: that is not to be taken for "off". */
static bool is_lost(const char *path, const char *how, struct err *e)
{
    return err_set(e, ERR_FORMAT, "%s %s: put it back (with {} in it for no settings at all)", path, how);
}

static bool read_file(struct cli *cli, const char *path, size_t given, struct arena *a, struct err *e)
{
    struct problems problems = {0};
    struct reader r = {.a = a, .report = a, .problems = &problems, .file = arena_dup(a, slice_str(path)), .one_map = SETTINGS_ONE_MAP};
    struct rule_texts texts = {0};
    struct slice text;
    if (!pack_file_read(a, path, &text, e))
        return cli->config && e->code == ERR_NOT_FOUND ? is_lost(path, "is gone", e) : false;
    node_read(&r, text, &texts);
    if (!problems.n && !texts.n && cli->config)
        return is_lost(path, "is empty", e);
    cli->config = texts.n ? path : NULL;
    const struct node *section = texts.n ? node_get(&texts.items[0].node, cli->command->name) : NULL;
    if (!problems.n && (!section || section->type == NODE_NULL || read_section(cli, &r, section, given)))
        return true;
    const struct problem *p = &problems.items[0];
    return err_set(e, ERR_USAGE, "%.*s:%d:%d: %.*s", SLICE_ARG(p->file), p->line, p->column, SLICE_ARG(p->message));
}

bool cli_settings(struct cli *cli, struct err *e)
{
    const struct rulebook_options o = {.config = cli_option(cli, "config")};
    const char *path = cli->config ? cli->config : rulebook_config(&o);
    const struct cli before = *cli;
    size_t given = cli->noptions - cli->nsettings;
    struct arena a = {0};
    cli->noptions = given;
    if (path && !read_file(cli, path, given, &a, e)) {
        *cli = before;
        arena_free(&a);
        return false;
    }
    cli->nsettings = cli->noptions - given;
    arena_free(&cli->settings);
    cli->settings = a;
    return true;
}
