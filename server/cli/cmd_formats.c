#include "cli/cli.h"
#include "base/jsonw.h"
#include "ingest/format.h"

int cmd_formats(struct cli *cli)
{
    static const struct column columns[] = {{"format", "name", 0, false}, {"what it is, and how it is known", "about", 0, false}, {0}};
    struct rows rows = rows_start(cli, columns);
    struct str text = STR_INIT(1 << 16);
    for (size_t i = 0; i < format_count; i++) {
        str_reset(&text);
        struct jsonw j = jsonw_to(&text);
        jsonw_object(&j);
        jsonw_kstrz(&j, "name", formats[i]->name);
        jsonw_kstrz(&j, "about", formats[i]->about);
        jsonw_end(&j);
        rows_add(&rows, str_slice(&text));
    }
    rows_end(&rows, SLICE_NONE);
    str_free(&text);
    return 0;
}
