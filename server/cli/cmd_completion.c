#include "base/embed.h"
#include "cli/report.h"
#include "ingest/format.h"

#include <ctype.h>
#include <stdio.h>

/* What stands after options that take one word of few. */
static const struct { const char *command /* NULL: any */, *option, *words; } choices[] = {
    {NULL, "severity", "low medium high"}, {NULL, "fail-on", "low medium high"}, {NULL, "success", "true false unknown"},
    {NULL, "kind", "broken_task odd_behavior near_miss harness data"}, {NULL, "status", "open confirmed dismissed"},
    {NULL, "scope", "run task collection"}, {NULL, "role", "system user assistant tool"}, {NULL, "has-findings", "true false"},
    {NULL, "split", "dev test all"}, {"export", "as", "native csv html"}, {"labels", "as", "jsonl native csv"},
    {"labels", "format", "csv jsonl behaviors who-and-when"}, {"token", "scope", "ingest read review admin"}, {"serve", "log", "text json"},
    {"serve", "log-level", "debug info warning error"},
};

/* The word that is being completed; what is printed begins with `before` and has `typed` as its prefix. */
struct completed { struct slice before, typed; };

static void offer(const struct completed *c, struct slice word, const char *about)
{
    for (size_t i = 0; i < word.len; i++)
        if (iscntrl((unsigned char)word.ptr[i]))
            return; /* a line each, and a tab before what it is */
    if (word.len >= c->typed.len && slice_eq(slice_sub(word, 0, c->typed.len), c->typed))
        printf("%.*s%.*s\t%s\n", SLICE_ARG(c->before), SLICE_ARG(word), about);
}

static void offer_words(const struct completed *c, const char *words, const char *about)
{
    for (struct slice rest = slice_str(words); rest.len;)
        offer(c, slice_take(&rest, ' '), about);
}

static void offer_options(const struct completed *c, const struct option_row *rows, const struct option_row *hidden)
{
    for (; rows->name; rows++) {
        char word[64];
        int n = snprintf(word, sizeof word, "--%s", rows->name);
        if (!cli_option_row(hidden, rows->name, strlen(rows->name), 0))
            offer(c, slice_of(word, (size_t)n), rows->help);
    }
}

/* A database that is not there yet, or locked, has no names to offer; that is no error. */
static void offer_collections(struct cli *cli, const struct completed *c)
{
    struct err e = {0};
    struct store *store;
    struct collection_rows rows;
    const struct page page = {.limit = 1000};
    if (!cli_open(cli, STORE_READ, &store, &e))
        return;
    if (store_collections(store, &page, &cli->arena, &rows, &e))
        for (size_t i = 0; i < rows.n; i++)
            offer(c, rows.items[i].name, "collection");
    store_close(store);
}

/* Whether a usage line's placeholder, such as FILE or DIR, stands in `text`. */
static bool names(struct slice text, const char *placeholder) { return slice_find(text, slice_str(placeholder)) >= 0; }

static bool offer_paths(struct slice placeholder)
{
    if (names(placeholder, "FILE") || names(placeholder, "PATH"))
        puts(":files");
    else if (names(placeholder, "DIR"))
        puts(":folders");
    else
        return false;
    return true;
}

static void offer_values(struct cli *cli, const struct completed *c, const struct command *command, const struct option_row *row)
{
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (strcmp(row->name, choices[i].option) == 0 && (!choices[i].command || (command && strcmp(command->name, choices[i].command) == 0))) {
            offer_words(c, choices[i].words, row->help);
            return;
        }
    if (strcmp(row->name, "output") == 0) {
        offer_words(c, "table json jsonl csv", row->help);
        for (const struct report_kind *kind = report_kinds; row != cli_option_row(global_options, "output", strlen("output"), 0) && kind->name; kind++)
            offer(c, slice_str(kind->name), row->help);
    } else if (command && strcmp(command->name, "import") == 0 && strcmp(row->name, "format") == 0) {
        for (size_t i = 0; i < format_count; i++)
            offer(c, slice_str(formats[i]->name), formats[i]->about);
    } else if (strcmp(row->name, "collection") == 0) {
        offer_collections(cli, c);
    } else if (strcmp(row->name, "db") == 0) {
        puts(":files");
    } else {
        offer_paths(slice_str(row->value));
    }
}

/* Of arguments that are alternatives the first words are offered, then what follows the one that was typed. */
static void offer_arguments(struct cli *cli, const struct completed *c, const struct command *command, const char *first)
{
    struct slice rest = slice_str(command->arguments);
    struct way way;
    bool has_words = false;
    for (; cli_way(command, &rest, &way); has_words = true) {
        if (!first)
            offer(c, way.word, way.about);
        else if (slice_is(way.word, first) && slice_is(way.text, "collection ID"))
            offer_collections(cli, c);
        else if (slice_is(way.word, first) && offer_paths(slice_sub(way.text, way.word.len, SIZE_MAX)))
            return;
    }
    if (!has_words)
        offer_paths(slice_str(command->arguments));
}

/* What may stand where the last of the words is, the words before it being as they are. They are read as the command line is, but nothing in
 * them is an error. */
static void offer_next(struct cli *cli, const char *const *words, size_t n)
{
    const struct command *command = NULL;
    const struct option_row *open = NULL; /* the option that the next word is the value of */
    const char *first = NULL;
    struct completed c = {slice_str(""), slice_str(n ? words[n - 1] : "")};
    for (size_t i = 0; i < n; i++) {
        const char *word = words[i];
        bool last = i + 1 == n;
        if (strcmp(word, "=") == 0) { /* bash cuts --name=value in three */
            if (last)
                c.typed = slice_str("");
            continue;
        }
        if (open) {
            if (strcmp(open->name, "db") == 0 && !last)
                cli->db = word;
            if (last)
                break;
            open = NULL;
        } else if (word[0] == '-' && word[1]) {
            bool is_long = word[1] == '-';
            struct slice value = slice_str(word + 2), name = is_long ? slice_take(&value, '=') : slice_of(word + 1, 1);
            bool has_value = is_long ? strchr(word, '=') != NULL : word[2];
            const struct option_row *row = cli_option_row(command ? command->options : NULL, name.ptr, name.len, is_long ? 0 : word[1]);
            row = row ? row : cli_option_row(global_options, name.ptr, name.len, is_long ? 0 : word[1]);
            if (last && has_value && is_long && row) {
                c = (struct completed){slice_of(word, (size_t)(value.ptr - word)), value};
                open = row;
            } else if (!last && row && row->value && !has_value) {
                open = row;
            }
        } else if (!last && !command) {
            for (const struct command *k = commands; k->name && !command; k++)
                if (strcmp(k->name, word) == 0)
                    command = k;
            if (!command)
                return;
        } else if (!last && !first) {
            first = word;
        }
    }
    if (open && open->value) {
        offer_values(cli, &c, command, open);
    } else if (slice_starts(c.typed, "-")) {
        if (command)
            offer_options(&c, command->options, NULL);
        offer_options(&c, global_options, command ? command->options : NULL);
    } else if (!command) {
        for (const struct command *k = commands; k->name; k++)
            offer(&c, slice_str(k->name), k->about);
    } else {
        offer_arguments(cli, &c, command, first);
    }
}

int cmd_completion(struct cli *cli)
{
    if (strcmp(cli->args[0], "words") == 0) {
        offer_next(cli, cli->args + 1, cli->nargs - 1);
        return 0;
    }
    struct slice name = arena_printf(&cli->arena, "completion/%s", cli->args[0]);
    const struct embedded *script = embedded_find(name.ptr);
    struct err e = {0};
    if (!script) {
        err_set(&e, ERR_USAGE, "there is completion for bash, zsh and fish, not for '%s'", cli->args[0]);
        return cli_fail(&e);
    }
    fwrite(script->bytes.ptr, 1, script->bytes.len, stdout);
    return 0;
}
