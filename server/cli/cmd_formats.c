#include "cli/cli.h"
#include "base/jsonw.h"
#include "ingest/format.h"

int cmd_formats(struct cli *cli)
{
    static const struct column columns[] = {{"format", "name", 0, false}, {"what it is, and how it is known", "about", 0, false}, {0}};
    struct rows rows = rows_start(cli, columns);
    for (size_t i = 0; i < format_count; i++) {
        struct jsonw *j = rows_next(&rows);
        jsonw_object(j);
        jsonw_kstrz(j, "name", formats[i]->name);
        jsonw_kstrz(j, "about", formats[i]->about);
        jsonw_end(j);
        rows_add(&rows);
    }
    rows_end(&rows, SLICE_NONE);
    return 0;
}
