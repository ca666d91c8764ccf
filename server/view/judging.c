#include "view/judging.h"

#include <stdio.h>

enum { YAML_MAX = 4 << 20 };

static void kwords(struct jsonw *j, const char *key, const struct slice *words, size_t n)
{
    jsonw_key(j, key);
    jsonw_array(j);
    for (size_t i = 0; i < n; i++)
        jsonw_str(j, words[i]);
    jsonw_end(j);
}

/* ---- rubrics ---------------------------------------------------------------------------------------------------------- */

/* What it asks stands in the body; the kind of what it finds is its behaviour's. */
static void rubric_asks(struct jsonw *j, const struct rubric_row *row)
{
    const struct behavior *behavior = row->behavior.ptr ? behavior_find(row->behavior) : NULL;
    struct arena a = {0};
    struct err none = {0};
    struct jvalue *body;
    bool read = jread(&a, row->body, NULL, NULL, &body, &none);
    jsonw_kstr(j, "question", read ? jstr(jget(body, "question")) : SLICE_NONE);
    jsonw_kstrz(j, "kind", behavior ? kind_name(behavior->kind) : NULL);
    arena_free(&a);
}

static void rubric_row_members(struct jsonw *j, const struct rubric_row *row)
{
    jsonw_kstr(j, "name", row->name);
    jsonw_kstr(j, "title", row->title);
    jsonw_kstr(j, "behavior", row->behavior);
    rubric_asks(j, row);
    jsonw_kint(j, "version", row->version);
    jsonw_kint(j, "latest", row->latest);
    jsonw_kstr(j, "author", row->author);
    jsonw_kstr(j, "note", row->note);
    jsonw_kstr(j, "created_at", row->created_at);
    jsonw_kbool(j, "shipped", row->shipped);
    jsonw_kint(j, "judgments", row->judgments);
    jsonw_kint(j, "flagged", row->flagged);
}

void view_rubric_row(struct jsonw *j, const struct rubric_row *row)
{
    jsonw_object(j);
    rubric_row_members(j, row);
    jsonw_end(j);
}

static const char *field_kind(const struct rubric_field *field)
{
    switch (field->type) {
    case FIELD_WORD:
        return "word";
    case FIELD_BOOL:
        return "boolean";
    case FIELD_INTEGER:
        return "integer";
    case FIELD_NUMBER:
        return "number";
    case FIELD_TEXT:
        return "text";
    }
    return "text";
}

static void field_list(struct jsonw *j, const struct rubric *r)
{
    jsonw_key(j, "fields");
    jsonw_array(j);
    for (size_t i = 0; i < r->nfields; i++) {
        const struct rubric_field *field = &r->fields[i];
        jsonw_object(j);
        jsonw_kstr(j, "name", field->name);
        jsonw_kstrz(j, "type", field_kind(field));
        kwords(j, "words", field->words, field->type == FIELD_WORD ? field->nwords : 0);
        jsonw_knum(j, "low", field->low);
        jsonw_knum(j, "high", field->high);
        jsonw_kbool(j, "required", field->required);
        jsonw_end(j);
    }
    jsonw_end(j);
}

void view_problems(struct jsonw *j, const char *key, const struct problems *problems)
{
    jsonw_key(j, key);
    jsonw_array(j);
    for (size_t i = 0; i < problems->n; i++) {
        const struct problem *p = &problems->items[i];
        jsonw_object(j);
        jsonw_kint(j, "line", p->line);
        jsonw_kint(j, "column", p->column);
        jsonw_kstr(j, "message", p->message);
        jsonw_end(j);
    }
    jsonw_end(j);
}

void view_rubric(struct jsonw *j, const struct rubric_row *row)
{
    struct arena a = {0};
    struct problems problems = {0};
    struct rubric r = {0};
    struct str yaml = STR_INIT(YAML_MAX);
    bool read = rubric_parse(row->body, row->name, &a, &a, &problems, &r);
    if (read)
        rubric_write_yaml(&yaml, &r);
    jsonw_object(j);
    rubric_row_members(j, row);
    jsonw_kstr(j, "text", read ? str_slice(&yaml) : row->body);
    jsonw_kraw(j, "rubric", row->body);
    field_list(j, &r);
    jsonw_kstr(j, "decides", read ? r.fields[r.decides].name : SLICE_NONE);
    kwords(j, "positive", r.positive, r.npositive);
    view_problems(j, "problems", &problems);
    jsonw_end(j);
    if (read)
        rubric_free(&r);
    str_free(&yaml);
    arena_free(&a);
}

static void judge_detector(const struct rubric_row *row, struct arena *a, struct detector_info *out)
{
    struct problems problems = {0};
    struct rubric r = {0};
    struct str yaml = STR_INIT(YAML_MAX);
    bool read = rubric_parse(row->body, row->name, a, a, &problems, &r);
    const struct behavior *behavior = row->behavior.ptr ? behavior_find(row->behavior) : NULL;
    if (read)
        rubric_write_yaml(&yaml, &r);
    *out = (struct detector_info){
        .id = arena_printf(a, "judge:%.*s@%lld", SLICE_ARG(row->name), (long long)row->version),
        .version = arena_printf(a, "%lld", (long long)row->version),
        .title = row->title,
        .behavior = row->behavior.ptr ? row->behavior : slice_str(""),
        .why = r.question,
        .unsure = r.unsure,
        .text = read ? arena_dup(a, str_slice(&yaml)) : row->body,
        .kind = behavior ? behavior->kind : KIND_ODD_BEHAVIOR,
        .severity = read && r.has_finding ? r.severity : SEVERITY_MEDIUM,
        .scope = SCOPE_RUN,
        .enabled = true,
        .rubric = row->name,
    };
    if (read)
        rubric_free(&r);
    str_free(&yaml);
}

bool judge_detectors(struct store *s, struct slice collection, struct arena *a, struct detector_info **out, size_t *n, struct err *e)
{
    struct judge_row *rows;
    size_t nrows;
    *n = 0;
    if (!store_judges(s, collection, SLICE_NONE, a, &rows, &nrows, e))
        return false;
    *out = arena_array(a, struct detector_info, nrows + 1);
    for (size_t i = 0; i < nrows; i++) {
        struct rubric_row row;
        struct detector_info info;
        bool told = false;
        if (!rows[i].flagged || !store_rubric(s, rows[i].rubric, rows[i].version, a, &row, NULL))
            continue;
        judge_detector(&row, a, &info);
        for (size_t k = 0; k < *n; k++)
            told = told || slice_eq((*out)[k].id, info.id);
        if (!told)
            (*out)[(*n)++] = info;
    }
    return true;
}

/* ---- judgments -------------------------------------------------------------------------------------------------------- */

void view_judgment(struct jsonw *j, const struct judgment *row, bool whole)
{
    char detector[300];
    snprintf(detector, sizeof detector, "judge:%.*s@%lld", SLICE_ARG(slice_cut(row->rubric, 200)), (long long)row->version);
    jsonw_object(j);
    jsonw_kstr(j, "id", row->id);
    view_run_ref(j, "run", &row->ref);
    jsonw_kstr(j, "collection", row->collection);
    jsonw_kstr(j, "rubric", row->rubric);
    jsonw_kint(j, "version", row->version);
    jsonw_kstrz(j, "detector", detector);
    jsonw_kstr(j, "judge", row->judge);
    jsonw_kstr(j, "judge_key", row->judge_key);
    jsonw_kraw(j, "settings", row->settings);
    jsonw_kstrz(j, "state", judgment_state_name(row->state));
    jsonw_kraw(j, "answer", row->answer);
    jsonw_kstr(j, "decision", row->decision);
    jsonw_kstr(j, "explanation", row->explanation);
    jsonw_kraw(j, "distribution", row->distribution);
    jsonw_knum(j, "share", row->share);
    jsonw_knum(j, "epistemic_confidence", row->epistemic_confidence);
    jsonw_kraw(j, "paired", row->paired);
    if (whole)
        view_evidence(j, "evidence", row->evidence, row->nevidence, &row->ref);
    else
        jsonw_kraw(j, "evidence", SLICE_NONE);
    jsonw_kint(j, "dropped", row->dropped);
    jsonw_kbool(j, "flagged", row->flagged);
    jsonw_kint(j, "segments", row->segments);
    jsonw_kstr(j, "left_out", row->left_out);
    jsonw_kstr(j, "raw", whole ? row->raw : SLICE_NONE);
    jsonw_kstr(j, "error", row->error);
    jsonw_kint(j, "calls", row->calls);
    jsonw_kint(j, "cached", row->cached);
    view_count(j, "tokens_in", row->tokens_in);
    view_count(j, "tokens_out", row->tokens_out);
    jsonw_knum(j, "cost_usd", row->cost);
    jsonw_kstr(j, "content_hash", row->content_hash);
    jsonw_kstr(j, "created_at", row->created_at);
    jsonw_kstr(j, "job", row->job);
    jsonw_kint(j, "stage", row->stage);
    jsonw_kbool(j, "stale", row->stale);
    jsonw_kbool(j, "current", row->current);
    jsonw_end(j);
}

void view_judge(struct jsonw *j, const struct judge_row *row)
{
    jsonw_object(j);
    jsonw_kstr(j, "rubric", row->rubric);
    jsonw_kint(j, "version", row->version);
    jsonw_kstr(j, "judge", row->judge);
    jsonw_kstr(j, "judge_key", row->judge_key);
    jsonw_kraw(j, "settings", row->settings);
    jsonw_kint(j, "judgments", row->judgments);
    jsonw_kint(j, "answered", row->answered);
    jsonw_kint(j, "flagged", row->flagged);
    jsonw_kint(j, "failed", row->failed);
    jsonw_kint(j, "unsupported", row->unsupported);
    jsonw_kint(j, "quotes", row->quotes);
    jsonw_kint(j, "dropped", row->dropped);
    jsonw_knum(j, "cost_usd", row->cost);
    jsonw_kstr(j, "last", row->last);
    jsonw_end(j);
}

/* ---- models ----------------------------------------------------------------------------------------------------------- */

static void model_members(struct jsonw *j, const struct models *models)
{
    struct str text = STR_INIT(1 << 20);
    jsonw_key(j, "items");
    jsonw_array(j);
    for (size_t i = 0; i < models->n; i++) {
        str_reset(&text);
        model_write(&text, &models->items[i].model, models->items[i].origin);
        jsonw_raw(j, str_slice(&text));
    }
    jsonw_end(j);
    str_free(&text);
}

void view_models(struct jsonw *j, const struct models *models, const bool *keys_there)
{
    const struct llm_model *fallback;
    struct err how = {0};
    jsonw_object(j);
    model_members(j, models);
    jsonw_kstr(j, "next", SLICE_NONE);
    jsonw_kint(j, "total", (int64_t)models->n);
    jsonw_kstr(j, "default", models->fallback);
    /* How to connect one, where there is none. */
    jsonw_kstrz(j, "how", models_find(models, SLICE_NONE, &fallback, &how) ? NULL : how.text);
    jsonw_key(j, "keys");
    jsonw_array(j);
    for (size_t i = 0; i < models->nkeys; i++) {
        jsonw_object(j);
        jsonw_kstr(j, "name", models->keys[i].name);
        jsonw_kstr(j, "for", models->keys[i].origin);
        jsonw_kbool(j, "present", keys_there[i]);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_key(j, "problems");
    jsonw_array(j);
    for (struct slice rest = models->problems; rest.len;)
        jsonw_str(j, slice_take(&rest, '\n'));
    jsonw_end(j);
    jsonw_end(j);
}

void view_probe(struct jsonw *j, const struct llm_probe *probe)
{
    jsonw_object(j);
    jsonw_kbool(j, "works", probe->works);
    jsonw_kstr(j, "said", probe->said);
    jsonw_kbool(j, "schema", probe->schema);
    jsonw_kbool(j, "logprobs", probe->logprobs);
    jsonw_kbool(j, "usage", probe->usage);
    jsonw_kint(j, "took_ms", probe->took_us / 1000);
    jsonw_kraw(j, "models", probe->models);
    jsonw_end(j);
}
