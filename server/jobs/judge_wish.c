/* What a judging job is asked to do: read, completed, written. */
#include "jobs/judging.h"
#include "jobs/rubrics.h"
#include "judge/samples.h"

#include <stddef.h>

enum {
    PAYLOAD_MAX = 8 << 20,
    MAX_TOKENS = 1024,     /* of an answer, where nothing is said */
    CALLS_DEFAULT = 1000,
};
static const double usd_default = 5;

/* ---- members -------------------------------------------------------------------------------------------------------------- */

static bool known(const struct jvalue *v, const char *what, const char *const names[], struct err *e)
{
    if (!jis(v, J_OBJECT))
        return err_set(e, ERR_USAGE, "%s is a JSON object", what);
    for (uint32_t i = 0; i < v->n; i++) {
        size_t k = 0;
        while (names[k] && !slice_is(v->keys[i], names[k]))
            k++;
        if (!names[k])
            return err_set(e, ERR_USAGE, "%s has no member \"%.*s\"", what, SLICE_ARG(slice_cut(v->keys[i], 100)));
    }
    return true;
}

static bool given(const struct jvalue *v, const char *name) { return jget(v, name) && !jis(jget(v, name), J_NULL); }

static bool text_in(const struct jvalue *v, const char *name, struct slice *out, struct err *e)
{
    *out = SLICE_NONE;
    if (!given(v, name))
        return true;
    *out = jstr(jget(v, name));
    if (!out->len || memchr(out->ptr, '\0', out->len))
        return err_set(e, ERR_USAGE, "\"%s\" is a text that is not empty", name);
    return true;
}

static bool int_in(const struct jvalue *v, const char *name, int64_t low, int64_t high, int64_t otherwise, int64_t *out, struct err *e)
{
    *out = otherwise;
    if (!given(v, name) || (jint(jget(v, name), out) && *out >= low && *out <= high))
        return true;
    return err_set(e, ERR_USAGE, "\"%s\" is a whole number from %lld to %lld", name, (long long)low, (long long)high);
}

static bool number_in(const struct jvalue *v, const char *name, double low, double high, double *out, struct err *e)
{
    *out = NAN;
    if (!given(v, name) || (jnum(jget(v, name), out) && *out >= low && *out <= high))
        return true;
    return err_set(e, ERR_USAGE, "\"%s\" is a number from %g to %g", name, low, high);
}

static bool flag_in(const struct jvalue *v, const char *name, bool *out, struct err *e)
{
    *out = false;
    return !given(v, name) || jbool(jget(v, name), out) || err_set(e, ERR_USAGE, "\"%s\" is true or false", name);
}

/* ---- the filter: the names that lists of runs and findings take ------------------------------------------------------------ */

static bool filter_member(struct slice name, const struct jvalue *v, struct filter *f, struct err *e)
{
    bool flag;
    struct slice value = jbool(v, &flag) ? slice_str(flag ? "true" : "false") : jstr(v);
    return value.ptr ? filter_set(f, name, value, e) : err_set(e, ERR_USAGE, "the filter's \"%.*s\" is a text", SLICE_ARG(slice_cut(name, 100)));
}

static bool filter_in(const struct jvalue *v, struct filter *f, struct err *e)
{
    if (!jis(v, J_OBJECT))
        return err_set(e, ERR_USAGE, "a filter is a JSON object such as {\"model\": \"…\"}");
    for (uint32_t i = 0; i < v->n; i++)
        if (!filter_member(v->keys[i], &v->items[i], f, e))
            return false;
    return true;
}

static void filter_out(struct jsonw *j, const struct filter *f)
{
    struct arena a = {0};
    struct slice name, value;
    jsonw_object(j);
    for (size_t i = 0; filter_get(f, i, &a, &name, &value); i++) {
        jsonw_key_slice(j, name);
        jsonw_str(j, value);
    }
    jsonw_end(j);
    arena_free(&a);
}

static bool ids_in(const struct jvalue *v, struct arena *a, struct filter *f, struct err *e)
{
    if (!jis(v, J_ARRAY) || !v->n || v->n > JUDGE_IDS)
        return err_set(e, ERR_USAGE, "\"ids\" is a list of 1 to %d ids of runs", JUDGE_IDS);
    struct slice *ids = arena_array(a, struct slice, v->n);
    for (uint32_t i = 0; i < v->n; i++) {
        ids[i] = jstr(&v->items[i]);
        if (!uuid_valid(ids[i]))
            return err_set(e, ERR_USAGE, "\"ids\"[%u] is no id of a run", i);
    }
    f->ids = ids;
    f->nids = v->n;
    return true;
}

/* ---- stages --------------------------------------------------------------------------------------------------------------- */

#define STAGE_MEMBERS "rubric", "version", "model", "samples", "temperature", "max_tokens", "paired"

static bool stage_in(const struct jvalue *v, struct arena *a, struct judge_stage *out, struct err *e)
{
    int64_t samples, max_tokens, paired, version;
    struct slice rubric;
    if (!text_in(v, "rubric", &rubric, e) || !text_in(v, "model", &out->model, e) ||
        !int_in(v, "version", 1, INT64_C(1000000000), 0, &version, e) || !int_in(v, "samples", 1, SAMPLES_MAX, 1, &samples, e) ||
        !int_in(v, "max_tokens", 16, 200000, MAX_TOKENS, &max_tokens, e) || !int_in(v, "paired", 0, SAMPLES_MAX, 0, &paired, e) ||
        !number_in(v, "temperature", 0, 2, &out->temperature, e))
        return false;
    if (!rubric.ptr)
        return err_set(e, ERR_USAGE, "name a rubric: {\"rubric\": \"…\"}");
    if (!rubrics_name(rubric, &out->rubric, &out->version, e))
        return false;
    if (version)
        out->version = version;
    out->samples = (int)samples;
    out->max_tokens = (int)max_tokens;
    out->paired = (int)paired;
    if (samples > 1 && out->temperature == 0)
        return err_set(e, ERR_USAGE, "with temperature 0 all samples are alike: ask for one sample, or for another temperature");
    const struct jvalue *when = jget(v, "when");
    if (!given(v, "when"))
        return true;
    if (!jis(when, J_ARRAY) || !when->n || when->n > 100)
        return err_set(e, ERR_USAGE, "\"when\" is a list of answers of the stage before, such as [\"yes\"]");
    out->when = arena_array(a, struct slice, when->n);
    out->nwhen = when->n;
    for (uint32_t i = 0; i < when->n; i++) {
        out->when[i] = jis(&when->items[i], J_STRING) ? when->items[i].text : jraw(a, &when->items[i]);
        if (!out->when[i].len)
            return err_set(e, ERR_USAGE, "\"when\"[%u] is no answer", i);
    }
    return true;
}

/* The first stage stands in the wish itself, further ones in "stages". */
static bool stages_in(const struct jvalue *body, struct arena *a, struct judge_wish *out, struct err *e)
{
    static const char *const members[] = {STAGE_MEMBERS, "when", NULL};
    const struct jvalue *more = jget(body, "stages");
    if (given(body, "stages") && !jis(more, J_ARRAY))
        return err_set(e, ERR_USAGE, "\"stages\" is a list of what further judges look at: [{\"rubric\", \"model\", \"when\"}]");
    uint32_t n = given(body, "stages") ? more->n : 0;
    bool first = given(body, "rubric") || !n;
    if (n + first > JUDGE_STAGES)
        return err_set(e, ERR_USAGE, "a cascade has at most %d stages", JUDGE_STAGES);
    out->stages = arena_array(a, struct judge_stage, n + first);
    if (first && !stage_in(body, a, &out->stages[out->nstages++], e))
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!known(&more->items[i], "a stage", members, e) || !stage_in(&more->items[i], a, &out->stages[out->nstages++], e))
            return false;
    return true;
}

static bool selection_in(const struct jvalue *body, struct arena *a, struct judge_wish *out, struct err *e)
{
    bool ids = given(body, "ids"), filter = given(body, "filter");
    out->findings = given(body, "findings");
    if (ids + filter + out->findings > 1)
        return err_set(e, ERR_USAGE, "name the runs by \"ids\", by \"filter\" or by \"findings\", not by several");
    return ids             ? ids_in(jget(body, "ids"), a, &out->filter, e)
           : filter        ? filter_in(jget(body, "filter"), &out->filter, e)
           : out->findings ? filter_in(jget(body, "findings"), &out->filter, e)
                           : true;
}

bool judge_wish_parse(const struct jvalue *body, struct arena *a, struct judge_wish *out, struct err *e)
{
    static const char *const members[] = {STAGE_MEMBERS, "when",  "stages", "collection", "ids",     "filter",    "findings", "limit",
                                          "sample",      "seed",  "again",  "try",        "max_usd", "max_calls", NULL};
    int64_t limit, seed;
    *out = (struct judge_wish){.filter = FILTER_ANY};
    if (!known(body, "what is to be judged", members, e) || !text_in(body, "collection", &out->collection, e) ||
        !selection_in(body, a, out, e) || !stages_in(body, a, out, e) || !int_in(body, "limit", 1, INT64_C(1000000000), 0, &limit, e) ||
        !flag_in(body, "sample", &out->sample, e) || !int_in(body, "seed", 0, INT64_MAX, 1, &seed, e) || !flag_in(body, "again", &out->again, e) ||
        !flag_in(body, "try", &out->trial, e) || !number_in(body, "max_usd", 0, 1e9, &out->max_usd, e) ||
        !int_in(body, "max_calls", 1, INT64_C(1000000000), 0, &out->max_calls, e))
        return false;
    out->limit = (uint64_t)limit;
    out->seed = (uint64_t)seed;
    if (!out->collection.ptr)
        return err_set(e, ERR_USAGE, "name a collection: {\"collection\": \"…\"}");
    if (out->stages[0].nwhen)
        return err_set(e, ERR_USAGE, "the first stage has none before it, so \"when\" means nothing there");
    if (out->sample && !out->limit)
        return err_set(e, ERR_USAGE, "a sample needs a \"limit\": how many runs are to be chosen");
    if (!out->trial)
        return true;
    if (out->nstages > 1)
        return err_set(e, ERR_USAGE, "\"try\" tries one stage");
    if (out->filter.nids > JUDGE_TRY_RUNS || (!out->filter.nids && (!out->limit || out->limit > JUDGE_TRY_RUNS)))
        return err_set(e, ERR_USAGE, "\"try\" takes at most %d runs: name them, or give a \"limit\"", JUDGE_TRY_RUNS);
    return true;
}

/* ---- completing ------------------------------------------------------------------------------------------------------------- */

static bool cap_complete(double *max_usd, int64_t *max_calls, const struct llm_model *unpriced, struct err *e)
{
    if (!isnan(*max_usd) && unpriced)
        return err_set(e, ERR_USAGE,
                       "what a token of model %.*s costs is not known, so that money cannot be capped: give \"max_calls\" instead, or the "
                       "model's price (in telltale.yaml: price: {in: 0.25, out: 2.0}, USD for a million tokens)",
                       SLICE_ARG(unpriced->name));
    if (isnan(*max_usd) && !*max_calls) {
        if (unpriced)
            *max_calls = CALLS_DEFAULT;
        else
            *max_usd = usd_default;
    }
    return true;
}

static bool has_price(const struct llm_model *m) { return !isnan(m->price_in) && !isnan(m->price_out); }

bool judge_wish_complete(struct store *s, const struct models *models, struct judge_wish *wish, struct arena *a, struct err *e)
{
    struct collection_row collection;
    const struct llm_model *unpriced = NULL;
    if (!store_collection(s, wish->collection, a, &collection, e))
        return false;
    wish->collection = wish->filter.collection = collection.id;
    for (size_t i = 0; i < wish->nstages; i++) {
        struct judge_stage *stage = &wish->stages[i];
        const struct llm_model *model;
        struct rubric_row row;
        struct rubric rubric;
        if (!models_find(models, stage->model, &model, e) || !rubrics_find(s, stage->rubric, stage->version, a, &row, &rubric, e))
            return false;
        rubric_free(&rubric);
        stage->version = row.version;
        stage->model = model->name;
        if (!has_price(model))
            unpriced = model;
    }
    return cap_complete(&wish->max_usd, &wish->max_calls, unpriced, e);
}

/* ---- writing ---------------------------------------------------------------------------------------------------------------- */

static void stage_out(struct jsonw *j, const struct judge_stage *stage)
{
    jsonw_kstr(j, "rubric", stage->rubric);
    if (stage->version)
        jsonw_kint(j, "version", stage->version);
    if (stage->model.ptr)
        jsonw_kstr(j, "model", stage->model);
    jsonw_kint(j, "samples", stage->samples);
    if (!isnan(stage->temperature))
        jsonw_knum(j, "temperature", stage->temperature);
    jsonw_kint(j, "max_tokens", stage->max_tokens);
    jsonw_kint(j, "paired", stage->paired);
    if (!stage->nwhen)
        return;
    jsonw_key(j, "when");
    jsonw_array(j);
    for (size_t i = 0; i < stage->nwhen; i++)
        jsonw_str(j, stage->when[i]);
    jsonw_end(j);
}

static void selection_out(struct jsonw *j, const struct judge_wish *wish)
{
    if (wish->filter.nids) {
        jsonw_key(j, "ids");
        jsonw_array(j);
        for (size_t i = 0; i < wish->filter.nids; i++)
            jsonw_str(j, wish->filter.ids[i]);
        jsonw_end(j);
    } else {
        jsonw_key(j, wish->findings ? "findings" : "filter");
        filter_out(j, &wish->filter);
    }
    if (wish->limit)
        jsonw_kint(j, "limit", (int64_t)wish->limit);
    jsonw_kbool(j, "sample", wish->sample);
    jsonw_kint(j, "seed", (int64_t)wish->seed);
}

struct slice judge_wish_write(struct arena *a, const struct judge_wish *wish)
{
    struct str text = STR_INIT(PAYLOAD_MAX);
    struct jsonw j = jsonw_to(&text);
    jsonw_object(&j);
    stage_out(&j, &wish->stages[0]);
    jsonw_kstr(&j, "collection", wish->collection);
    selection_out(&j, wish);
    jsonw_kbool(&j, "again", wish->again);
    jsonw_kbool(&j, "try", wish->trial);
    if (!isnan(wish->max_usd))
        jsonw_knum(&j, "max_usd", wish->max_usd);
    if (wish->max_calls)
        jsonw_kint(&j, "max_calls", wish->max_calls);
    if (wish->nstages > 1) {
        jsonw_key(&j, "stages");
        jsonw_array(&j);
        for (size_t i = 1; i < wish->nstages; i++) {
            jsonw_object(&j);
            stage_out(&j, &wish->stages[i]);
            jsonw_end(&j);
        }
        jsonw_end(&j);
    }
    jsonw_end(&j);
    struct slice copy = arena_dup(a, str_slice(&text));
    str_free(&text);
    return copy;
}

/* ---- help with a rubric ------------------------------------------------------------------------------------------------------- */

bool draft_wish_parse(const struct jvalue *body, struct arena *a, struct draft_wish *out, struct err *e)
{
    static const char *const members[] = {"sentence", "collection", "set", "rubric", "version", "model", "max_usd", "max_calls", NULL};
    struct slice rubric;
    (void)a;
    *out = (struct draft_wish){0};
    if (!known(body, "a wish for a draft", members, e) || !text_in(body, "sentence", &out->sentence, e) ||
        !text_in(body, "collection", &out->collection, e) || !text_in(body, "set", &out->set, e) || !text_in(body, "rubric", &rubric, e) ||
        !text_in(body, "model", &out->model, e) || !number_in(body, "max_usd", 0, 1e9, &out->max_usd, e) ||
        !int_in(body, "max_calls", 1, INT64_C(1000000000), 0, &out->max_calls, e))
        return false;
    if (rubric.ptr && !rubrics_name(rubric, &out->rubric, &out->version, e))
        return false;
    int64_t version;
    if (!int_in(body, "version", 1, INT64_C(1000000000), out->version, &version, e))
        return false;
    out->version = version;
    if (!out->rubric.ptr && !out->sentence.ptr)
        return err_set(e, ERR_USAGE, "say what the rubric is to ask (\"sentence\"), or which one is to be improved (\"rubric\")");
    if (out->sentence.len > 20000)
        return err_set(e, ERR_USAGE, "the sentence is over 20,000 bytes");
    if (out->rubric.ptr && (!out->set.ptr || !out->collection.ptr))
        return err_set(e, ERR_USAGE, "an edit is made of where judge and people disagree: name the \"collection\" and the label \"set\"");
    if (out->set.ptr && !out->collection.ptr)
        return err_set(e, ERR_USAGE, "name the \"collection\" whose labelled runs are meant");
    return true;
}

bool draft_wish_complete(struct store *s, const struct models *models, struct draft_wish *wish, struct arena *a, struct err *e)
{
    const struct llm_model *model;
    if (wish->collection.ptr) {
        struct collection_row collection;
        if (!store_collection(s, wish->collection, a, &collection, e))
            return false;
        wish->collection = collection.id;
    }
    if (wish->rubric.ptr) {
        struct rubric_row row;
        struct rubric rubric;
        if (!rubrics_find(s, wish->rubric, wish->version, a, &row, &rubric, e))
            return false;
        rubric_free(&rubric);
        wish->version = row.version;
    }
    if (!models_find(models, wish->model, &model, e))
        return false;
    wish->model = model->name;
    return cap_complete(&wish->max_usd, &wish->max_calls, has_price(model) ? NULL : model, e);
}

struct slice draft_wish_write(struct arena *a, const struct draft_wish *wish)
{
    struct str text = STR_INIT(PAYLOAD_MAX);
    struct jsonw j = jsonw_to(&text);
    const struct {
        const char *name;
        struct slice text;
    } texts[] = {{"sentence", wish->sentence}, {"collection", wish->collection}, {"set", wish->set}, {"rubric", wish->rubric}, {"model", wish->model}};
    jsonw_object(&j);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].text.ptr)
            jsonw_kstr(&j, texts[i].name, texts[i].text);
    if (wish->version)
        jsonw_kint(&j, "version", wish->version);
    if (!isnan(wish->max_usd))
        jsonw_knum(&j, "max_usd", wish->max_usd);
    if (wish->max_calls)
        jsonw_kint(&j, "max_calls", wish->max_calls);
    jsonw_end(&j);
    struct slice copy = arena_dup(a, str_slice(&text));
    str_free(&text);
    return copy;
}
