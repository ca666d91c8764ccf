#include "base/log.h"
#include "base/process.h"
#include "cli/report.h"

#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A column of at least 28 characters, then the text. */
static void print_option(const struct option_row *o)
{
    char left[80];
    int n = o->letter ? snprintf(left, sizeof left, "  -%c, --%s", o->letter, o->name) : snprintf(left, sizeof left, "  --%s", o->name);
    if (o->value)
        snprintf(left + n, sizeof left - (size_t)n, " %s", o->value);
    printf("%-28s %s\n", left, o->help);
}

/* Without those that `hidden` has too. */
static void print_options(const char *title, const struct option_row *rows, const struct option_row *hidden)
{
    if (!rows || !rows->name)
        return;
    printf("\n%s\n", title);
    for (; rows->name; rows++)
        if (!cli_option_row(hidden, rows->name, strlen(rows->name), 0))
            print_option(rows);
}

static void print_ways(const struct command *command)
{
    struct slice rest = slice_str(command->arguments);
    struct way way;
    for (const char *before = "\n"; cli_way(command, &rest, &way); before = "")
        printf("%s  %-26.*s %s\n", before, SLICE_ARG(way.text), way.about);
}

static int help(const struct command *command)
{
    if (!command) {
        printf("Telltale reads the transcripts of AI agents and shows which tasks are broken, which runs are odd and which were\n"
               "near misses, each with the words that prove it.\n\nusage: telltale COMMAND [ARGUMENTS] [OPTIONS]\n\n");
        for (const struct command *c = commands; c->name; c++)
            printf("  %-12s %s\n", c->name, c->about);
        printf("\nTry it:  telltale serve --sample      then open the address it prints\n"
               "         telltale import FOLDER       then  telltale findings\n");
    } else {
        printf("usage: telltale %s%s%s\n\n%s\n", command->name, *command->arguments ? " " : "", command->arguments, command->about);
        print_ways(command);
        if (command->details)
            printf("\n%s\n", command->details);
        print_options("options:", command->options, NULL);
    }
    print_options("for every command:", global_options, command ? command->options : NULL);
    printf("\nExit status: 0 good; 1 something was refused or found; 2 wrong usage; 3 could not run.\n");
    return 0;
}

static int usage(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int usage(const struct command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "telltale: ");
    vfprintf(stderr, format, args);
    va_end(args);
    if (command)
        fprintf(stderr, "\nusage: telltale %s %s\n(telltale %s --help says more)\n", command->name, command->arguments, command->name);
    else
        fprintf(stderr, "\n(telltale --help lists the commands)\n");
    return err_exit_status(ERR_USAGE);
}

/* A command with an --output of its own prints findings, and those as reports too. */
static bool has_reports(const struct command *command) { return command && cli_option_row(command->options, "output", strlen("output"), 0); }

static bool parse_output(struct cli *cli, const char *word)
{
    static const char *const names[] = {"table", "json", "jsonl", "csv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(word, names[i]) == 0) {
            cli->output = (enum output)i;
            return true;
        }
    cli->report = has_reports(cli->command) ? report_kind_find(word) : NULL;
    return cli->report != NULL;
}

/* What is looked for under a name that other servers give it; NULL: nothing is known of it. */
static const char *other_name(const struct command *command, const char *arg)
{
    static const struct { const char *command, *wrong, *right; } names[] = {
        {"serve", "--port", "--listen ADDR:PORT"}, {"serve", "-p", "--listen ADDR:PORT"}, {"serve", "--host", "--listen ADDR:PORT"},
    };
    for (size_t i = 0; command && i < sizeof names / sizeof *names; i++)
        if (strcmp(command->name, names[i].command) == 0 && strncmp(arg, names[i].wrong, strcspn(arg, "=")) == 0 &&
            strlen(names[i].wrong) == strcspn(arg, "="))
            return names[i].right;
    return NULL;
}

enum parsed { PARSED_GO, PARSED_HELP, PARSED_VERSION, PARSED_WRONG };

/* Global options stand before or after the command, so the command's own table is looked at when it is known. */
static enum parsed parse(struct cli *cli, int argc, char **argv, int *status)
{
    cli->args = arena_array(&cli->arena, const char *, (size_t)argc + 1);
    bool only_args = false, want_help = false;
    const char *output = "table";
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (only_args || arg[0] != '-' || !arg[1]) {
            if (!cli->command) {
                for (const struct command *c = commands; c->name && !cli->command; c++)
                    if (strcmp(c->name, arg) == 0)
                        cli->command = c;
                if (!cli->command && strcmp(arg, "help") == 0) {
                    want_help = true;
                } else if (!cli->command) {
                    *status = usage(NULL, "there is no command '%s'", arg);
                    return PARSED_WRONG;
                }
            } else {
                cli->args[cli->nargs++] = arg;
            }
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            only_args = true;
            continue;
        }
        bool is_long = arg[1] == '-';
        const char *equals = is_long ? strchr(arg, '=') : NULL;
        const char *name = arg + 2;
        size_t len = equals ? (size_t)(equals - name) : strlen(name);
        const struct option_row *own = cli->command ? cli->command->options : NULL;
        const struct option_row *row = cli_option_row(own, name, len, is_long ? 0 : arg[1]);
        if (!row)
            row = cli_option_row(global_options, name, len, is_long ? 0 : arg[1]);
        if (!row) {
            const char *meant = other_name(cli->command, arg);
            *status = meant ? usage(cli->command, "there is no option '%s'; it is %s", arg, meant)
                            : usage(cli->command, "there is no option '%s'%s", arg, cli->command ? "" : " before a command");
            return PARSED_WRONG;
        }
        const char *value = equals ? equals + 1 : !is_long && arg[2] ? arg + 2 : NULL;
        if (!row->value && value) {
            *status = usage(cli->command, "--%s takes no value", row->name);
            return PARSED_WRONG;
        }
        if (row->value && !value) {
            if (i + 1 == argc) {
                *status = usage(cli->command, "--%s needs a value: %s", row->name, row->value);
                return PARSED_WRONG;
            }
            value = argv[++i];
        }
        struct err e = {0};
        if (value && !cli_option_check(row, value, &e)) {
            *status = usage(cli->command, "--%s", e.text);
            return PARSED_WRONG;
        }
        if (strcmp(row->name, "version") == 0)
            return PARSED_VERSION;
        if (strcmp(row->name, "help") == 0) {
            want_help = true;
        } else if (strcmp(row->name, "db") == 0) {
            cli->db = value;
        } else if (strcmp(row->name, "quiet") == 0) {
            cli->quiet = true;
        } else if (strcmp(row->name, "json") == 0) {
            output = "json";
        } else if (strcmp(row->name, "output") == 0) {
            output = value;
        } else if (cli->noptions == CLI_OPTIONS) {
            *status = usage(cli->command, "more than %d options", CLI_OPTIONS);
            return PARSED_WRONG;
        } else {
            cli->options[cli->noptions].row = row;
            cli->options[cli->noptions++].value = value;
        }
    }
    if (!parse_output(cli, output)) {
        *status = usage(cli->command, "--output is table, json, jsonl%s, not '%s'",
                        has_reports(cli->command) ? ", csv, sarif, junit, github or html" : " or csv", output);
        return PARSED_WRONG;
    }
    return want_help ? PARSED_HELP : PARSED_GO;
}

static const char *default_db(struct arena *a)
{
    const char *db = getenv("TELLTALE_DB"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (db && *db)
        return db;
    if (data && *data)
        return arena_printf(a, "%s/telltale/telltale.db", data).ptr;
    return home && *home ? arena_printf(a, "%s/.local/share/telltale/telltale.db", home).ptr : "telltale.db";
}

/* What a command changes is logged as its user's; the server logs what each request does. A command with verbs ("create NAME | list") is named
 * with its verb. */
static void act(struct cli *cli)
{
    const struct passwd *known = getpwuid(geteuid());
    const char *user = getenv("USER"), *arguments = cli->command->arguments + (cli->command->arguments[0] == '[');
    bool verb = cli->nargs && *arguments >= 'a' && *arguments <= 'z';
    if (cli->command->run == cmd_serve)
        return;
    if ((!user || !*user) && known) /* no login: cron, a service */
        user = known->pw_name;
    cli->actor.name = user && *user ? arena_printf(&cli->arena, "cli:%s", user) : arena_printf(&cli->arena, "cli:%u", (unsigned)geteuid());
    cli->actor.action = arena_printf(&cli->arena, "telltale %s%s%.100s", cli->command->name, verb ? " " : "", verb ? cli->args[0] : "");
    cli->actor.target = slice_str(cli_option(cli, "collection"));
    store_act_everywhere_as(&cli->actor);
}

static void on_signal(int number)
{
    (void)number;
    if (atomic_load(&cli_stop_at_once))
        _exit(err_exit_status(ERR_CANCELLED));
    atomic_store(&cli_stop, true);
}

static void handle_signals(void)
{
    struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    int status = 0;
    process_started();
    handle_signals();
    setlocale(LC_CTYPE, "C.UTF-8");
    switch (parse(&cli, argc, argv, &status)) {
    case PARSED_WRONG:
        break;
    case PARSED_VERSION:
        printf("telltale %s\n", TELLTALE_VERSION);
        break;
    case PARSED_HELP:
        status = help(cli.command);
        break;
    case PARSED_GO:
        if (!cli.command) {
            status = usage(NULL, "which command?");
        } else if ((int)cli.nargs < cli.command->min_args) {
            status = usage(cli.command, "%s needs more: %s", cli.command->name, cli.command->arguments);
        } else if (cli.command->max_args >= 0 && (int)cli.nargs > cli.command->max_args) {
            status = usage(cli.command, "too much: '%s'", cli.args[cli.command->max_args]);
        } else {
            if (cli.quiet)
                log_set_level(LOG_ERROR);
            if (!cli.db)
                cli.db = default_db(&cli.arena);
            act(&cli);
            status = cli.command->run(&cli);
            if (fflush(stdout) != 0 || ferror(stdout))
                status = status ? status : err_exit_status(ERR_IO);
        }
        break;
    }
    rulebook_free(cli.book);
    arena_free(&cli.settings);
    arena_free(&cli.arena);
    return status;
}
