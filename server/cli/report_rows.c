/* table, json, jsonl and csv: a row a finding. */
#include "cli/report.h"
#include "view/view.h"

bool report_rows(struct report *r, struct err *e)
{
    size_t n = 0;
    while (finding_columns[n].title)
        n++;
    struct column *columns = arena_array(&r->cli->arena, struct column, n + 2);
    memcpy(columns, finding_columns, n * sizeof *columns);
    if (r->has_baseline)
        columns[n] = (struct column){"baseline", "baseline", 0, false};
    struct rows rows = rows_start(r->cli, columns);
    struct arena a = {0};
    struct finding_row row;
    bool ok = true;
    for (size_t i = 0; ok && i < r->n; i++) {
        struct reported *item = &r->items[i];
        arena_reset(&a);
        if (!(ok = report_load(r, item, &a, &row, e)))
            break;
        struct jsonw *j = rows_next(&rows);
        jsonw_object(j);
        view_finding_row_members(j, &row);
        jsonw_kstrz(j, "fingerprint", item->fingerprint);
        jsonw_kstrz(j, "baseline", !r->has_baseline ? NULL : item->known ? "unchanged" : "new");
        jsonw_end(j);
        rows_add(&rows);
    }
    if (ok)
        rows_end(&rows, r->more);
    else
        rows_drop(&rows);
    arena_free(&a);
    return ok;
}
