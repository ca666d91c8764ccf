#include "view/pairing.h"

#include "base/map.h"
#include "text/jread.h"

#include <math.h>
#include <stdlib.h>

enum { BINS = 10, VERSIONS = 20, PEOPLE_MAX = 64 };

bool agreement_compare(struct store *s, const struct agreement_ask *ask, struct arena *a, struct compared *out, struct err *e)
{
    struct pairing p = {0};
    bool ok = pairing_load(s, ask, &p, a, e);
    if (ok)
        pairing_compare(&p, a, out);
    pairing_free(&p);
    return ok;
}

/* ---- figures as JSON --------------------------------------------------------------------------------------------------------- */

static void estimate_members(struct jsonw *j, struct estimate x)
{
    jsonw_knum(j, "value", x.value);
    jsonw_knum(j, "low", x.low);
    jsonw_knum(j, "high", x.high);
}

static void kestimate(struct jsonw *j, const char *key, struct estimate x)
{
    jsonw_key(j, key);
    jsonw_object(j);
    estimate_members(j, x);
    jsonw_end(j);
}

static void write_confusion(struct jsonw *j, const struct confusion *c)
{
    jsonw_key(j, "confusion");
    jsonw_object(j);
    jsonw_key(j, "values");
    jsonw_array(j);
    for (size_t i = 0; i < c->k; i++)
        jsonw_str(j, c->values[i]);
    jsonw_end(j);
    jsonw_key(j, "counts");
    jsonw_array(j);
    for (size_t i = 0; i < c->k; i++) {
        jsonw_array(j);
        for (size_t k = 0; k < c->k; k++)
            jsonw_int(j, (int64_t)c->counts[i * c->k + k]);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_end(j);
}

static void write_classes(struct jsonw *j, const struct agreement *is)
{
    jsonw_key(j, "classes");
    jsonw_array(j);
    for (size_t i = 0; i < is->nclasses; i++) {
        const struct class_score *class = &is->classes[i];
        jsonw_object(j);
        jsonw_kstr(j, "value", class->value);
        kestimate(j, "precision", class->precision);
        kestimate(j, "recall", class->recall);
        kestimate(j, "f1", class->f1);
        jsonw_kint(j, "reference", (int64_t)class->reference);
        jsonw_kint(j, "measured", (int64_t)class->measured);
        jsonw_kint(j, "both", (int64_t)class->both);
        jsonw_key(j, "always");
        jsonw_object(j);
        jsonw_knum(j, "precision", class->always.precision);
        jsonw_knum(j, "recall", class->always.recall);
        jsonw_knum(j, "f1", class->always.f1);
        jsonw_end(j);
        jsonw_end(j);
    }
    jsonw_end(j);
}

void agreement_figures(struct jsonw *j, const struct compared *c)
{
    jsonw_kint(j, "n", (int64_t)c->confusion.n);
    jsonw_kint(j, "only_reference", (int64_t)c->confusion.only_first);
    jsonw_kint(j, "only_measured", (int64_t)c->confusion.only_second);
    jsonw_kint(j, "undecided", (int64_t)c->undecided);
    jsonw_kint(j, "failed", (int64_t)c->failed);
    jsonw_kint(j, "beyond", (int64_t)c->confusion.beyond);
    write_confusion(j, &c->confusion);
    write_classes(j, &c->figures);
    kestimate(j, "accuracy", c->figures.accuracy);
    kestimate(j, "balanced_accuracy", c->figures.balanced_accuracy);
    kestimate(j, "macro_f1", c->figures.macro_f1);
    kestimate(j, "kappa", c->figures.kappa);
    if (isnan(c->figures.weighted_kappa.value))
        jsonw_kraw(j, "weighted_kappa", SLICE_NONE);
    else
        kestimate(j, "weighted_kappa", c->figures.weighted_kappa);
    jsonw_kstr(j, "positive", c->positive);
    jsonw_kstr(j, "constant", c->figures.constant);
    jsonw_knum(j, "constant_accuracy", c->figures.constant_accuracy);
    jsonw_kstrz(j, "note", c->note);
}

/* Of all people of the reference's set, in this split. */
static void write_alpha(struct jsonw *j, const struct agreement_ask *ask, const struct pairing *p, struct arena *a)
{
    struct map people = {0}, runs = {0};
    size_t raters = 0, units = 0;
    bool numbers = true;
    for (size_t i = 0; i < p->all.n && p->reference.kind == RATER_PEOPLE; i++) {
        if (!pairing_wants(ask, p, &p->all.items[i], NULL))
            continue;
        raters += map_put(a, &people, p->all.items[i].who, raters + 1) == raters + 1;
        units += map_put(a, &runs, p->all.items[i].run, units + 1) == units + 1;
    }
    if (raters < 2 || raters > PEOPLE_MAX) {
        jsonw_kraw(j, "alpha", SLICE_NONE);
        return;
    }
    struct slice *table = arena_array(a, struct slice, units * raters);
    for (size_t i = 0; i < p->all.n; i++) {
        const struct opinion *o = &p->all.items[i];
        double number;
        if (!pairing_wants(ask, p, o, NULL))
            continue;
        table[(map_get(&runs, o->run) - 1) * raters + map_get(&people, o->who) - 1] = o->value;
        numbers &= !o->value.ptr || rating_number(o->value, &number);
    }
    jsonw_key(j, "alpha");
    jsonw_object(j);
    estimate_members(j, krippendorff_alpha(table, units, raters, numbers ? ALPHA_INTERVAL : ALPHA_NOMINAL, AGREEMENT_SEED, a));
    jsonw_kstrz(j, "level", numbers ? "interval" : "nominal");
    jsonw_kint(j, "raters", (int64_t)raters);
    jsonw_kint(j, "units", (int64_t)units);
    jsonw_end(j);
}

/* By the epistemic confidence where the judge was asked for it, else by the share of its samples. */
static void write_calibration(struct jsonw *j, const struct pairing *p, struct arena *a)
{
    double *confidence = arena_array(a, double, p->n);
    bool *agreed = arena_array(a, bool, p->n), epistemic = false;
    struct calibration c;
    for (size_t i = 0; i < p->n; i++)
        epistemic |= !isnan(p->second.items[i].confidence);
    for (size_t i = 0; i < p->n; i++) {
        confidence[i] = epistemic ? p->second.items[i].confidence : p->second.items[i].share;
        agreed[i] = slice_eq(p->first.items[i].value, p->second.items[i].value);
    }
    calibration_make(confidence, agreed, p->n, BINS, a, &c);
    if (!c.n) {
        jsonw_kraw(j, "calibration", SLICE_NONE);
        return;
    }
    jsonw_key(j, "calibration");
    jsonw_object(j);
    jsonw_kstrz(j, "by", epistemic ? "epistemic_confidence" : "share");
    jsonw_key(j, "bins");
    jsonw_array(j);
    for (size_t i = 0; i < c.nbins; i++) {
        jsonw_object(j);
        jsonw_knum(j, "low", c.bins[i].low);
        jsonw_knum(j, "high", c.bins[i].high);
        jsonw_knum(j, "mean_confidence", c.bins[i].mean_confidence);
        kestimate(j, "agreed", c.bins[i].agreed);
        jsonw_kint(j, "n", (int64_t)c.bins[i].n);
        jsonw_end(j);
    }
    jsonw_end(j);
    jsonw_knum(j, "ece", c.ece);
    jsonw_knum(j, "brier", c.brier);
    jsonw_kint(j, "n", (int64_t)c.n);
    jsonw_end(j);
}

/* ---- disagreements ----------------------------------------------------------------------------------------------------------- */

/* What was said beside the value: words of explanation, and the first place that is shown. */
struct words {
    struct slice explanation;
    bool shown;
    struct evidence at;
};

static void words_of_label(struct slice json, struct arena *a, struct words *out)
{
    struct jvalue *v;
    struct err e = {0};
    int64_t number;
    if (!json.ptr || !jread(a, json, NULL, NULL, &v, &e))
        return;
    out->explanation = jstr(jget(v, "note"));
    const struct jvalue *at = jget(v, "evidence"), *message = jget(at, "message"), *start = jget(at, "start"), *end = jget(at, "end");
    struct slice part = jstr(jget(at, "part")), transcript = jtext(jget(at, "transcript"));
    double position = -1;
    if (!part.ptr)
        return;
    bool is_position = transcript.len < 10 && rating_number(transcript, &position) && position >= 0;
    out->at = (struct evidence){.transcript = is_position ? (int32_t)position : -1, .transcript_id = transcript, .part = part,
                                .message = jint(message, &number) && number >= 0 && number <= INT32_MAX ? (int32_t)number : -1,
                                .start = jint(start, &number) && number >= 0 && number <= UINT32_MAX ? (uint32_t)number : 0,
                                .quote = jstr(jget(at, "quote"))};
    out->at.end = jint(end, &number) && number >= out->at.start && number <= UINT32_MAX ? (uint32_t)number : out->at.start;
    out->shown = true;
}

static bool words_of_judgment(struct store *s, struct slice id, struct arena *a, struct words *out, struct err *e)
{
    struct judgment judgment;
    struct err none = {0};
    if (!store_judgment(s, id, a, &judgment, &none))
        return none.code == ERR_NOT_FOUND || err_set(e, none.code, "%s", none.text);
    out->explanation = judgment.explanation;
    out->shown = judgment.nevidence > 0;
    if (out->shown)
        out->at = judgment.evidence[0];
    return true;
}

static bool words_of_finding(struct store *s, const struct rater *r, struct slice run, struct arena *a, struct words *out, struct err *e)
{
    struct filter filter = FILTER_ANY;
    const struct page page = {.limit = 100};
    struct finding_rows rows;
    size_t i = 0;
    filter.anywhere = true;
    filter.run = run;
    *(r->kind == RATER_DETECTOR ? &filter.detector : &filter.behavior) = r->name;
    if (!store_findings(s, &filter, &page, a, &rows, e))
        return false;
    while (i < rows.n && r->kind == RATER_BEHAVIOR && slice_starts(rows.items[i].finding.detector, "judge:"))
        i++;
    if (i == rows.n)
        return true;
    out->explanation = rows.items[i].finding.title;
    out->shown = rows.items[i].finding.nevidence > 0;
    if (out->shown)
        out->at = rows.items[i].finding.evidence[0];
    return true;
}

static bool words_of(struct store *s, const struct rater *r, const struct opinion *o, struct arena *a, struct words *out, struct err *e)
{
    *out = (struct words){0};
    if (r->kind == RATER_JUDGE)
        return words_of_judgment(s, o->id, a, out, e);
    if (r->kind == RATER_DETECTOR || r->kind == RATER_BEHAVIOR || r->kind == RATER_FINDINGS)
        return words_of_finding(s, r, o->run, a, out, e);
    words_of_label(o->json, a, out);
    return true;
}

static bool write_disagreement(struct store *s, const struct pairing *p, size_t i, struct jsonw *j, struct arena *a, struct err *e)
{
    const struct opinion *x = &p->first.items[i], *y = &p->second.items[i];
    struct words said, noted;
    struct run_row row;
    struct err none = {0};
    if (!store_run(s, y->run, a, &row, &none)) /* deleted since? */
        return none.code == ERR_NOT_FOUND || err_set(e, none.code, "%s", none.text);
    if (!words_of(s, &p->measured, y, a, &said, e) || !words_of(s, &p->reference, x, a, &noted, e))
        return false;
    const struct words *shown = said.shown ? &said : &noted;
    jsonw_object(j);
    view_run_ref(j, "run", &row.run);
    jsonw_kraw(j, "reference", x->json);
    jsonw_kraw(j, "measured", y->json);
    jsonw_kstr(j, "reference_value", x->value);
    jsonw_kstr(j, "measured_value", y->value);
    jsonw_kstr(j, "who", x->who);
    jsonw_knum(j, "confidence", isnan(y->confidence) ? y->share : y->confidence);
    jsonw_kstr(j, "id", y->id);
    jsonw_kstr(j, "explanation", said.explanation);
    jsonw_kstr(j, "note", noted.explanation);
    jsonw_key(j, "evidence");
    if (shown->shown)
        view_evidence_item(j, &shown->at, &row.run);
    else
        jsonw_null(j);
    jsonw_end(j);
    return true;
}

static bool listed(const struct agreement_ask *ask, struct slice reference, struct slice measured)
{
    if (ask->cell[0].ptr)
        return slice_eq(reference, ask->cell[0]) && slice_eq(measured, ask->cell[1]);
    return !slice_eq(reference, measured);
}

static bool write_disagreements(struct store *s, const struct agreement_ask *ask, const struct pairing *p, struct jsonw *j, struct err *e)
{
    struct arena one = {0};
    size_t differ = 0, limit = ask->limit < DISAGREEMENTS_MAX ? ask->limit : DISAGREEMENTS_MAX;
    bool ok = true;
    jsonw_key(j, "disagreements");
    jsonw_array(j);
    for (size_t i = 0; i < p->n && ok; i++) {
        if (!listed(ask, p->first.items[i].value, p->second.items[i].value))
            continue;
        if (differ++ < limit)
            ok = write_disagreement(s, p, i, j, &one, e);
        arena_reset(&one);
    }
    jsonw_end(j);
    jsonw_kint(j, "disagreements_total", (int64_t)differ);
    arena_free(&one);
    return ok;
}

/* ---- versions ---------------------------------------------------------------------------------------------------------------- */

static bool write_version(struct store *s, const struct agreement_ask *ask, const struct rubric_row *row, const struct judge_row *judge,
                          struct jsonw *j, struct err *e)
{
    struct arena a = {0};
    struct compared c;
    struct agreement_ask old = *ask;
    struct err none = {0};
    old.measured = arena_printf(&a, "judge:%.*s@%lld/%.*s", SLICE_ARG(row->name), (long long)row->version, SLICE_ARG(judge->judge_key));
    bool ok = agreement_compare(s, &old, &a, &c, &none);
    if (ok && c.confusion.n) {
        jsonw_object(j);
        jsonw_kint(j, "version", row->version);
        jsonw_kstr(j, "judge_key", judge->judge_key);
        jsonw_kstr(j, "note", row->note);
        jsonw_kstr(j, "created_at", row->created_at);
        jsonw_kint(j, "n", (int64_t)c.confusion.n);
        jsonw_knum(j, "accuracy", c.figures.accuracy.value);
        jsonw_knum(j, "f1", c.of_positive ? c.of_positive->f1.value : c.figures.macro_f1.value);
        jsonw_knum(j, "kappa", c.figures.kappa.value);
        jsonw_knum(j, "cost_usd", judge->cost);
        jsonw_end(j);
    }
    arena_free(&a);
    /* an old version may lack the field */
    return ok || none.code == ERR_USAGE || none.code == ERR_NOT_FOUND || err_set(e, none.code, "%s", none.text);
}

/* Of the measured rubric, by the same judge: newest first. */
static bool write_versions(struct store *s, const struct agreement_ask *ask, const struct rater *r, struct jsonw *j, struct arena *a, struct err *e)
{
    struct rubric_rows rows = {0};
    struct judge_row *judges = NULL;
    size_t n = 0;
    const struct page page = {.limit = VERSIONS};
    if (r->kind == RATER_JUDGE && (!store_rubrics(s, r->name, &page, a, &rows, e) || !store_judges(s, ask->collection, r->name, a, &judges, &n, e)))
        return false;
    jsonw_key(j, "versions");
    jsonw_array(j);
    for (size_t i = 0; i < rows.n; i++)
        for (size_t k = 0; k < n; k++)
            if (judges[k].version == rows.items[i].version && slice_eq(judges[k].judge_key, r->judge_key) &&
                !write_version(s, ask, &rows.items[i], &judges[k], j, e))
                return false;
    jsonw_end(j);
    return true;
}

/* ---- the whole --------------------------------------------------------------------------------------------------------------- */

static void write_fields(struct jsonw *j, const struct rater *r)
{
    jsonw_key(j, "fields");
    jsonw_array(j);
    for (size_t i = 0; r->has_rubric && i < r->rubric.nfields; i++)
        if (r->rubric.fields[i].type != FIELD_TEXT)
            jsonw_str(j, r->rubric.fields[i].name);
    jsonw_end(j);
}

static bool write_all(struct store *s, const struct agreement_ask *ask, const struct pairing *p, struct jsonw *j, struct arena *a, struct err *e)
{
    static const char *const splits[] = {[SPLIT_ALL] = "all", [SPLIT_DEV] = "dev", [SPLIT_TEST] = "test"};
    struct compared c;
    pairing_compare(p, a, &c);
    jsonw_object(j);
    jsonw_kstr(j, "reference", ask->reference);
    jsonw_kstr(j, "measured", ask->measured);
    jsonw_kstr(j, "field", c.field);
    write_fields(j, p->measured.has_rubric ? &p->measured : &p->reference);
    jsonw_kstrz(j, "split", splits[ask->split]);
    jsonw_knum(j, "test_share", p->test_share);
    agreement_figures(j, &c);
    write_alpha(j, ask, p, a);
    write_calibration(j, p, a);
    if (!write_disagreements(s, ask, p, j, e) || !write_versions(s, ask, &p->measured, j, a, e))
        return false;
    jsonw_end(j);
    return true;
}

bool agreement_write(struct store *s, const struct agreement_ask *ask, struct jsonw *j, struct err *e)
{
    struct arena a = {0};
    struct pairing p = {0};
    bool ok = pairing_load(s, ask, &p, &a, e) && write_all(s, ask, &p, j, &a, e);
    pairing_free(&p);
    arena_free(&a);
    return ok;
}
