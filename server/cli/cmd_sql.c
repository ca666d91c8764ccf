#include "base/clock.h"
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SQL_SECONDS = 60, US = 1000000 };

/* Two columns of one name (`SELECT * FROM a JOIN b`) are two keys: id, id_2. */
static const char *unique_name(struct arena *a, const struct column *before, size_t n, const char *name)
{
    const char *wanted = name;
    size_t copies = 1;
    for (size_t i = 0; i < n; i++)
        if (strcmp(before[i].title, wanted) == 0) {
            wanted = arena_printf(a, "%s_%zu", name, ++copies).ptr;
            i = SIZE_MAX; /* the new name may be taken too: from the start */
        }
    return wanted;
}

/* The answer's rows as objects, a row at a time, for the forms other than the contract's JSON document. */
static bool print_rows(struct cli *cli, const struct str *answer, struct err *e)
{
    json_t *doc = json_loadb(answer->ptr, answer->len, JSON_ALLOW_NUL, NULL);
    const json_t *names = json_object_get(doc, "columns"), *data = json_object_get(doc, "rows");
    if (!doc)
        return err_set(e, ERR_INTERNAL, "the answer of the query cannot be read back");
    size_t n = json_array_size(names);
    struct column *columns = arena_array(&cli->arena, struct column, n + 1);
    for (size_t i = 0; i < n; i++) {
        columns[i].title = unique_name(&cli->arena, columns, i, json_string_value(json_array_get(names, i)));
        columns[i].path = arena_printf(&cli->arena, "%zu", i).ptr;
        columns[i].width = 80;
    }
    struct rows rows = rows_start(cli, columns);
    for (size_t i = 0; i < json_array_size(data); i++) {
        json_t *row = json_array_get(data, i), *object = NULL;
        if (cli->output == OUTPUT_JSONL) {
            object = json_object();
            for (size_t k = 0; k < n; k++)
                json_object_set(object, columns[k].title, json_array_get(row, k));
        }
        char *text = json_dumps(object ? object : row, JSON_COMPACT);
        if (text)
            rows_add_text(&rows, slice_str(text));
        free(text);
        json_decref(object);
    }
    rows_end(&rows, SLICE_NONE);
    if (json_is_true(json_object_get(doc, "truncated")))
        fprintf(stderr, "telltale: there are more rows than --limit\n");
    json_decref(doc);
    return true;
}

int cmd_sql(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    atomic_store(&cli_stop_at_once, true);
    struct str answer = STR_INIT(SIZE_MAX / 2);
    int64_t limit = cli_number(cli, "limit", 0), seconds = cli_number(cli, "timeout", SQL_SECONDS);
    bool ok = cli_open(cli, STORE_READ, &store, &e);
    if (ok) {
        int64_t now = clock_monotonic_us(), most = (INT64_MAX - now) / US;
        int64_t deadline = seconds && seconds < most ? now + US * seconds : INT64_MAX;
        ok = store_sql(store, slice_str(cli->args[0]), SLICE_NONE, (uint64_t)limit, deadline, &answer, &e);
        if (!ok && e.code == ERR_LIMIT && clock_monotonic_us() >= deadline)
            err_set(&e, ERR_LIMIT, "the query took longer than %" PRId64 " s and was ended; ask for less, or give it longer with --timeout S", seconds);
    }
    if (ok && cli->output == OUTPUT_JSON) {
        fwrite(answer.ptr, 1, answer.len, stdout);
        putchar('\n');
    } else if (ok) {
        ok = print_rows(cli, &answer, &e);
    }
    str_free(&answer);
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}
