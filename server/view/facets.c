#include "view/view.h"

void view_fields(struct jsonw *j, const struct field_rows *rows)
{
    jsonw_object(j);
    jsonw_key(j, "items");
    jsonw_array(j);
    for (size_t i = 0; i < rows->n; i++) {
        const struct field_row *row = &rows->items[i];
        jsonw_object(j);
        jsonw_kstr(j, "field", row->field);
        jsonw_kstrz(j, "type", field_type_name(row->type));
        jsonw_kbool(j, "facet", row->words);
        jsonw_kint(j, "values", row->values);
        jsonw_kint(j, "runs", row->runs);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_end(j);
}

static void counts(struct jsonw *j, struct slice value, int64_t runs, int64_t passed, int64_t failed)
{
    jsonw_kstr(j, "value", value);
    jsonw_kint(j, "runs", runs);
    jsonw_kint(j, "passed", passed);
    jsonw_kint(j, "failed", failed);
}

void view_facets(struct jsonw *j, const struct facet_rows *rows)
{
    jsonw_object(j);
    jsonw_kint(j, "total", rows->total);
    jsonw_key(j, "facets");
    jsonw_array(j);
    for (size_t i = 0; i < rows->n; i++) {
        const struct facet_row *row = &rows->items[i];
        jsonw_object(j);
        jsonw_kstr(j, "field", row->field);
        jsonw_key(j, "values");
        jsonw_array(j);
        for (size_t k = 0; k < row->n; k++) {
            const struct facet_value *v = &row->values[k];
            jsonw_object(j);
            counts(j, v->value, v->runs, v->passed, v->failed);
            jsonw_end(j);
        }
        jsonw_end(j);
        jsonw_kint(j, "more", row->more);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_end(j);
}

static void amount(struct jsonw *j, const char *key, const struct amount *amount)
{
    jsonw_key(j, key);
    if (!amount->n) {
        jsonw_null(j);
        return;
    }
    jsonw_object(j);
    jsonw_kint(j, "n", amount->n);
    jsonw_knum(j, "sum", amount->sum);
    jsonw_knum(j, "mean", amount->mean);
    jsonw_knum(j, "median", amount->median);
    jsonw_knum(j, "p90", amount->p90);
    jsonw_end(j);
}

void view_stats(struct jsonw *j, const struct stat_rows *rows)
{
    static const char *const names[STAT_FIELDS] = {[STAT_COST] = "cost_usd", [STAT_TOKENS] = "tokens", [STAT_DURATION] = "duration_ms",
                                                   [STAT_MESSAGES] = "messages", [STAT_CALLS] = "calls"};
    jsonw_object(j);
    jsonw_key(j, "items");
    jsonw_array(j);
    for (size_t i = 0; i < rows->n; i++) {
        const struct stat_row *row = &rows->items[i];
        jsonw_object(j);
        counts(j, row->value, row->runs, row->passed, row->failed);
        for (size_t m = 0; m < STAT_FIELDS; m++)
            amount(j, names[m], &row->stats[m]);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_kint(j, "more", rows->more);
    jsonw_end(j);
}
