#include "base/jsonw.h"
#include "cli/cli.h"
#include "docs/docs.h"

#include <stdio.h>

static void print_pages(struct cli *cli)
{
    static const struct column columns[] = {{"page", "name", 0, false}, {"group", "group", 0, false}, {"what it says", "summary", 90, false}, {0}};
    struct rows rows = rows_start(cli, columns);
    for (const struct docs_page *page = docs_pages; page->name; page++) {
        struct slice body;
        if (!docs_text(slice_str(page->name), &body, NULL))
            continue;
        struct jsonw *j = rows_next(&rows);
        jsonw_object(j);
        jsonw_kstrz(j, "name", page->name);
        jsonw_kstrz(j, "group", page->group);
        jsonw_kstr(j, "title", docs_title(body));
        jsonw_kstr(j, "summary", docs_summary(body, &cli->arena));
        jsonw_end(j);
        rows_add(&rows);
    }
    rows_end(&rows, SLICE_NONE);
}

static void find(struct cli *cli, const char *words)
{
    static const struct column columns[] = {{"page", "name", 0, false}, {"under", "heading", 40, false}, {"line", "line", 0, false}, {0}};
    struct rows rows = rows_start(cli, columns);
    for (const struct docs_page *page = docs_pages; page->name; page++) {
        struct slice body;
        struct docs_hit hits[DOCS_HITS];
        size_t n = 0;
        if (docs_text(slice_str(page->name), &body, NULL))
            docs_find(body, slice_str(words), hits, &n);
        for (size_t i = 0; i < n && i < DOCS_HITS; i++) {
            struct jsonw *j = rows_next(&rows);
            jsonw_object(j);
            jsonw_kstrz(j, "name", page->name);
            jsonw_kstr(j, "heading", hits[i].heading);
            jsonw_kstr(j, "line", hits[i].line);
            jsonw_end(j);
            rows_add(&rows);
        }
    }
    rows_end(&rows, SLICE_NONE);
}

int cmd_docs(struct cli *cli)
{
    const char *words = cli_option(cli, "find");
    struct slice text;
    struct err e = {0};
    if (words && cli->nargs) {
        err_set(&e, ERR_USAGE, "--find looks through all pages: name none");
        return cli_fail(&e);
    }
    if (words) {
        find(cli, words);
    } else if (!cli->nargs) {
        print_pages(cli);
    } else {
        if (!docs_text(slice_str(cli->args[0]), &text, &e))
            return cli_fail(&e);
        fwrite(text.ptr, 1, text.len, stdout);
    }
    return 0;
}
