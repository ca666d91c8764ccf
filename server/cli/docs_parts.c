/* What the documentation has from the tables in the code: a row each of docs_parts[]. */
#include "docs/docs.h"

#include "cli/cli.h"
#include "cli/rules_write.h"
#include "http/metrics.h"
#include "http/params.h"
#include "http/route.h"
#include "http/schema.h"
#include "ingest/format.h"
#include "jobs/jobs.h"
#include "text/secrets.h"

/* ---- the command line -------------------------------------------------------------------------------------------------- */

static void add_options(struct str *out, const struct option_row *rows)
{
    if (!rows->name)
        return;
    str_addz(out, "\n| option | what it does |\n|---|---|\n");
    for (; rows->name; rows++) {
        str_addz(out, "| `");
        if (rows->letter)
            str_printf(out, "-%c, ", rows->letter);
        str_printf(out, "--%s%s%s` | ", rows->name, rows->value ? " " : "", rows->value ? rows->value : "");
        docs_plain(out, slice_str(rows->help));
        str_addz(out, " |\n");
    }
}

static void add_ways(struct str *out, const struct command *c)
{
    struct slice rest = slice_str(c->arguments);
    struct way way;
    for (const char *head = "\n| | what it does |\n|---|---|\n"; cli_way(c, &rest, &way); head = "") {
        str_printf(out, "%s| `%.*s` | ", head, SLICE_ARG(way.text));
        docs_plain(out, slice_str(way.about));
        str_addz(out, " |\n");
    }
}

/* The details of a command are written for a terminal: lines as they are, in a block. */
static void add_command(struct str *out, const struct command *c)
{
    str_printf(out, "\n## telltale %s\n\n", c->name);
    docs_plain(out, slice_str(c->about));
    str_printf(out, "\n\n```text\ntelltale %s%s%s\n```\n", c->name, *c->arguments ? " " : "", c->arguments);
    add_ways(out, c);
    if (c->details)
        str_printf(out, "\n```text\n%s\n```\n", c->details);
    add_options(out, c->options);
}

static void commands_part(struct str *out)
{
    for (const struct command *c = commands; c->name; c++)
        add_command(out, c);
}

static void global_options_part(struct str *out) { add_options(out, global_options); }

static void serve_options_part(struct str *out)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, "serve") == 0)
            add_options(out, c->options);
}

/* ---- what is redacted -------------------------------------------------------------------------------------------------- */

static void secrets_part(struct str *out)
{
    str_addz(out, "| marker | what it is | a finding too |\n|---|---|---|\n");
    for (size_t i = 0; i < secret_form_count; i++) {
        str_printf(out, "| `[redacted:%s]` | ", secret_forms[i].kind);
        docs_plain(out, slice_str(secret_forms[i].about));
        str_addz(out, secret_forms[i].is_finding ? " | yes |\n" : " | no |\n");
    }
}

/* ---- what is read and found -------------------------------------------------------------------------------------------- */

static void formats_part(struct str *out)
{
    str_addz(out, "| format | what it is, and how it is known |\n|---|---|\n");
    for (size_t i = 0; i < format_count; i++) {
        str_printf(out, "| `%s` | ", formats[i]->name);
        docs_plain(out, slice_str(formats[i]->about));
        str_addz(out, " |\n");
    }
}

static void catalogue_part(struct str *out)
{
    struct arena arena = {0};
    struct problems problems = {0};
    struct ruleset *rules;
    if (ruleset_load(NULL, 0, true, &arena, &problems, &rules, NULL)) {
        rules_catalogue(out, rules);
        ruleset_unref(rules);
    }
    arena_free(&arena);
}

/* ---- SQL --------------------------------------------------------------------------------------------------------------- */

static void views_part(struct str *out)
{
    for (const struct sql_view *view = sql_views; view->name; view++) {
        str_printf(out, "\n## %s\n\n", view->name);
        docs_plain(out, slice_str(view->about));
        str_addz(out, "\n\n| column | type | what it is |\n|---|---|---|\n");
        for (const struct sql_column *column = view->columns; column->name; column++) {
            str_printf(out, "| `%s` | %s | ", column->name, column->type);
            docs_plain(out, slice_str(column->about));
            str_addz(out, " |\n");
        }
    }
}

static void functions_part(struct str *out)
{
    for (const char *const *function = sql_functions; *function; function++)
        str_printf(out, "%s`%s`", function == sql_functions ? "" : ", ", *function);
    str_addc(out, '\n');
}

/* ---- REST -------------------------------------------------------------------------------------------------------------- */

static void add_params(struct str *out, const char *head, const struct param *list)
{
    for (const struct param *p = list; p->name; p++) {
        str_printf(out, "- %s `%s`%s: ", head, p->name, p->required ? " (required)" : "");
        docs_plain(out, slice_str(p->about ? p->about : p->words));
        if (p->words && p->about) {
            str_addz(out, " (");
            docs_plain(out, slice_str(p->words));
            str_addc(out, ')');
        }
        str_addc(out, '\n');
    }
}

static void filters_part(struct str *out) { add_params(out, "parameter", run_filter_params); }

static void add_body(struct str *out, const struct route *route)
{
    switch (route->body) {
    case BODY_NONE:
        break;
    case BODY_JSON:
        add_params(out, "member", route->fields);
        break;
    case BODY_BYTES:
    case BODY_SPOOL:
        str_printf(out, "- body: %s\n", route->takes ? route->takes : "bytes, as they are");
        break;
    }
}

static void add_route(struct str *out, const struct route *route)
{
    str_printf(out, "\n### %s %s\n\n", route->method, route->path);
    str_printf(out, "%s\n\n", route->summary);
    for (const struct param *const *list = route->query; *list; list++) {
        if (*list == run_filter_params)
            str_addz(out, "- all [filters](#filters)\n");
        else
            add_params(out, "parameter", *list);
    }
    add_body(out, route);
    if (route->need != NEED_NONE)
        str_printf(out, "- needs the scope %s%s\n", need_names[route->need], route->of == OF_ALL ? ", for all collections" : "");
    str_printf(out, "- answers %d", route->status);
    if (route->schema)
        str_printf(out, " `%s`", route->schema);
    else if (route->type)
        str_printf(out, " %s", route->type);
    str_addc(out, '\n');
}

static const char *section_of(const struct route *route, struct slice *name)
{
    struct slice rest = slice_str(route->path + 1);
    struct slice first = slice_take(&rest, '/'), second = slice_take(&rest, '/');
    if (slice_is(first, "api") && slice_is(second, "v1"))
        return *name = slice_take(&rest, '/'), NULL;
    if (slice_is(first, "rest"))
        return "As Docent's server";
    if (slice_is(first, "v1") || slice_is(second, "public"))
        return "From OpenTelemetry and Langfuse";
    return "About the server";
}

static bool same_section(const struct route *a, const struct route *b)
{
    struct slice x = SLICE_NONE, y = SLICE_NONE;
    const char *of_a = section_of(a, &x), *of_b = section_of(b, &y);
    return of_a && of_b ? strcmp(of_a, of_b) == 0 : !of_a && !of_b && slice_eq(x, y);
}

static bool first_of_its_section(size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (routes[i].summary && same_section(&routes[i], &routes[row]))
            return false;
    return true;
}

static void routes_part(struct str *out)
{
    for (size_t i = 0; i < route_count; i++) {
        if (!routes[i].summary || !first_of_its_section(i))
            continue;
        struct slice name = SLICE_NONE;
        const char *title = section_of(&routes[i], &name);
        str_printf(out, "\n## %.*s\n", SLICE_ARG(title ? slice_str(title) : name));
        for (size_t k = i; k < route_count; k++)
            if (routes[k].summary && same_section(&routes[i], &routes[k]))
                add_route(out, &routes[k]);
    }
}

static void shapes_part(struct str *out)
{
    str_addz(out, "| shape | its members |\n|---|---|\n");
    for (size_t i = 0; i < schema_count; i++) {
        str_printf(out, "| `%s` | ", schemas[i].name);
        docs_plain(out, slice_str(schemas[i].shape));
        str_addz(out, " |\n");
    }
}

static void errors_part(struct str *out)
{
    str_addz(out, "| code | HTTP status | exit status |\n|---|---|---|\n");
    for (int code = ERR_NONE + 1; code <= ERR_INTERNAL; code++)
        str_printf(out, "| `%s` | %d %s | %d |\n", err_name((enum err_code)code), err_http_status((enum err_code)code),
                   status_title(err_http_status((enum err_code)code)), err_exit_status((enum err_code)code));
}

static void job_kinds_part(struct str *out)
{
    for (size_t i = 0; i < job_kind_count; i++)
        str_printf(out, "%s`%s`", i ? ", " : "", job_kinds[i].name);
    str_addc(out, '\n');
}

static void metrics_part(struct str *out)
{
    str_addz(out, "| metric | type | what it tells |\n|---|---|---|\n");
    for (size_t i = 0; i < metric_count; i++) {
        str_printf(out, "| `%s` | %s | ", metric_rows[i].name, metric_rows[i].type);
        docs_plain(out, slice_str(metric_rows[i].about));
        str_addz(out, " |\n");
    }
}

const struct docs_part docs_parts[] = {
    {"catalogue", catalogue_part},
    {"commands", commands_part},
    {"errors", errors_part},
    {"filters", filters_part},
    {"formats", formats_part},
    {"global options", global_options_part},
    {"job kinds", job_kinds_part},
    {"metrics", metrics_part},
    {"routes", routes_part},
    {"secrets", secrets_part},
    {"serve options", serve_options_part},
    {"shapes", shapes_part},
    {"sql functions", functions_part},
    {"sql views", views_part},
    {0},
};
