/* Two raters side by side: which field of theirs is compared, and which runs both rated. */
#include "view/pairing.h"

#include "base/map.h"
#include "text/jread.h"

#include <math.h>

void pairing_free(struct pairing *p)
{
    rater_free(&p->reference);
    rater_free(&p->measured);
}

static const struct rubric *rubric_of(const struct pairing *p)
{
    return p->measured.has_rubric ? &p->measured.rubric : p->reference.has_rubric ? &p->reference.rubric : NULL;
}

/* ---- what is compared -------------------------------------------------------------------------------------------------------- */

static bool is_decided(const struct rater *r, struct slice field)
{
    return r->has_rubric && (slice_eq(r->rubric.fields[r->rubric.decides].name, field) || slice_eq(r->rubric.behavior, field));
}

static bool choose_behavior(struct store *s, const struct agreement_ask *ask, struct pairing *p, struct arena *a, struct err *e)
{
    const struct rater *set = p->reference.set.reading == READING_ALL ? &p->reference : p->measured.set.reading == READING_ALL ? &p->measured : NULL;
    struct slice about = rater_behavior(&p->measured);
    struct slices seen = {0};
    about = about.ptr ? about : rater_behavior(&p->reference);
    p->reading = (struct reading){.flag = true, .behavior = ask->field.ptr ? ask->field : about};
    if (!ask->field.ptr && (about.ptr || !set))
        return true;
    if (set && !agreement_behaviors(s, ask->collection, set->name, a, &seen, e))
        return false;
    struct slice listed = names_listed(seen.items, seen.n, a);
    if (!ask->field.ptr)
        return err_set(e, ERR_USAGE, "the set \"%.*s\" speaks of many behaviours: say which is compared as the field (--field NAME), one of %.*s",
                       SLICE_ARG(set->name), SLICE_ARG(listed));
    for (size_t i = 0; i < seen.n; i++)
        if (slice_eq(seen.items[i], ask->field))
            return true;
    if (set ? behavior_find(ask->field) != NULL : slice_eq(about, ask->field) || is_decided(&p->reference, ask->field) || is_decided(&p->measured, ask->field))
        return true;
    if (set)
        return err_set(e, ERR_USAGE, "the set \"%.*s\" has no behaviour \"%.*s\"; the field is one of %.*s", SLICE_ARG(set->name),
                       SLICE_ARG(slice_cut(ask->field, 200)), SLICE_ARG(listed));
    return err_set(e, ERR_USAGE, "there is no field \"%.*s\" here: a detector only says whether something is there, so that the answer's decision "
                   "is compared, without a field", SLICE_ARG(slice_cut(ask->field, 200)));
}

/* The members of a set's values, and of its schema; n 0: its values are plain words. */
static bool fields_of_set(struct store *s, const struct rater *r, struct arena *a, struct slices *out, struct err *e)
{
    struct ratings rows = {0};
    struct map known = {0};
    struct jvalue *v;
    struct err none = {0};
    *out = (struct slices){0};
    if (r->set.name.ptr && !store_ratings_labels(s, SLICE_NONE, r->name, SLICE_NONE, a, &rows, e))
        return false;
    for (size_t i = 0; i <= rows.n; i++) {
        struct slice text = i < rows.n ? rows.items[i].value : r->set.schema;
        const struct jvalue *members = text.ptr && jread(a, text, NULL, NULL, &v, &none) ? i < rows.n ? v : jget(v, "properties") : NULL;
        for (uint32_t k = 0; jis(members, J_OBJECT) && k < members->n; k++) {
            if (map_put(a, &known, members->keys[k], out->n + 1) != out->n + 1)
                continue;
            out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
            out->items[out->n++] = members->keys[k];
        }
    }
    return true;
}

/* Where no rubric says which fields there are: those that the labels have. */
static bool is_field_of_sets(struct store *s, const struct pairing *p, struct slice field, struct arena *a, struct err *e)
{
    const struct rater *const raters[] = {&p->reference, &p->measured};
    struct slice listed = slice_str("none");
    for (size_t i = 0; i < sizeof raters / sizeof *raters; i++) {
        struct slices fields;
        if (!fields_of_set(s, raters[i], a, &fields, e))
            return false;
        for (size_t k = 0; k < fields.n; k++)
            if (slice_eq(fields.items[k], field))
                return true;
        if (fields.n)
            listed = names_listed(fields.items, fields.n, a);
    }
    return err_set(e, ERR_USAGE, "the labels have no field \"%.*s\"; there are: %.*s", SLICE_ARG(slice_cut(field, 200)), SLICE_ARG(listed));
}

static bool choose_field(struct store *s, const struct agreement_ask *ask, struct pairing *p, struct arena *a, struct err *e)
{
    const struct rubric *r = rubric_of(p);
    p->reading = (struct reading){.field = ask->field.ptr ? ask->field : r ? r->fields[r->decides].name : slice_str("answer")};
    for (size_t i = 0; r && i < r->nfields; i++)
        if (slice_eq(r->fields[i].name, p->reading.field))
            return true;
    if (!r)
        return !ask->field.ptr || is_field_of_sets(s, p, ask->field, a, e);
    struct slice *names = arena_array(a, struct slice, r->nfields);
    for (size_t i = 0; i < r->nfields; i++)
        names[i] = r->fields[i].name;
    return err_set(e, ERR_USAGE, "the rubric \"%.*s\" has no field \"%.*s\"; there are: %.*s", SLICE_ARG(r->name),
                   SLICE_ARG(slice_cut(p->reading.field, 200)), SLICE_ARG(names_listed(names, r->nfields, a)));
}

static const struct rubric_field *field_of(const struct pairing *p)
{
    const struct rubric *r = rubric_of(p);
    for (size_t i = 0; r && !p->reading.flag && i < r->nfields; i++)
        if (slice_eq(r->fields[i].name, p->reading.field))
            return &r->fields[i];
    return NULL;
}

/* The words that the set's own schema allows for the field. */
static size_t words_of_schema(const struct pairing *p, struct arena *a, struct slice **out)
{
    struct slice schema = p->reference.set.schema.ptr ? p->reference.set.schema : p->measured.set.schema;
    struct jvalue *v;
    struct err none = {0};
    if (!schema.ptr || !jread(a, schema, NULL, NULL, &v, &none))
        return 0;
    const struct jvalue *words = jget(jget_slice(jget(v, "properties"), p->reading.field), "enum");
    size_t n = 0;
    if (!jis(words, J_ARRAY))
        return 0;
    *out = arena_array(a, struct slice, words->n);
    for (uint32_t i = 0; i < words->n; i++)
        if (jtext(&words->items[i]).ptr)
            (*out)[n++] = jtext(&words->items[i]);
    return n;
}

/* The categories in the order in which people read them; any others follow as they come. */
static size_t category_order(const struct pairing *p, struct arena *a, struct slice **out)
{
    static struct slice flags[] = {SLICE_LIT("yes"), SLICE_LIT("no")}, truth[] = {SLICE_LIT("true"), SLICE_LIT("false")};
    const struct rubric_field *field = field_of(p);
    *out = NULL;
    if (p->reading.flag || (field && field->type == FIELD_BOOL)) {
        *out = p->reading.flag ? flags : truth;
        return 2;
    }
    if (!field)
        return words_of_schema(p, a, out);
    *out = field->words;
    return field->type == FIELD_WORD ? field->nwords : 0;
}

static struct slice positive_of(const struct pairing *p, const struct confusion *c)
{
    const struct rubric *r = rubric_of(p);
    if (p->reading.flag)
        return slice_str("yes");
    if (r && r->npositive && slice_eq(r->fields[r->decides].name, p->reading.field))
        return r->positive[0];
    for (size_t i = 0; i < c->k; i++)
        if (slice_is(c->values[i], "yes") || slice_is(c->values[i], "true"))
            return c->values[i];
    return SLICE_NONE;
}

/* ---- the same runs ----------------------------------------------------------------------------------------------------------- */

bool pairing_wants(const struct agreement_ask *ask, const struct pairing *p, const struct opinion *x, const struct opinion *y)
{
    struct slice split = x && x->split.ptr ? x->split : y ? y->split : SLICE_NONE;
    const struct opinion *any = x ? x : y;
    bool test = split.ptr ? slice_is(split, "test") : split_is_test(any->external_id.len ? any->external_id : any->run, p->test_share);
    return ask->split == SPLIT_ALL || test == (ask->split == SPLIT_TEST);
}

/* Both are sorted by run. */
static void put_in_step(const struct agreement_ask *ask, struct pairing *p, const struct opinions *first, const struct opinions *second,
                        struct arena *a)
{
    size_t i = 0, j = 0, most = first->n < second->n ? first->n : second->n;
    p->first.items = arena_array(a, struct opinion, most);
    p->second.items = arena_array(a, struct opinion, most);
    while (i < first->n || j < second->n) {
        int order = i == first->n ? 1 : j == second->n ? -1 : slice_cmp(first->items[i].run, second->items[j].run);
        const struct opinion *x = order <= 0 ? &first->items[i++] : NULL, *y = order >= 0 ? &second->items[j++] : NULL;
        if (!pairing_wants(ask, p, x, y))
            continue;
        if (x && y && x->value.ptr && y->value.ptr) {
            p->first.items[p->n] = *x;
            p->second.items[p->n++] = *y;
        } else if (x && y) {
            p->undecided++;
        } else if (x) {
            p->only_first++;
        } else {
            p->only_second++;
        }
    }
}

bool pairing_load(struct store *s, const struct agreement_ask *ask, struct pairing *p, struct arena *a, struct err *e)
{
    struct opinions measured, first, second;
    if (!rater_find(s, ask->collection, ask->reference, a, &p->reference, e) || !rater_find(s, ask->collection, ask->measured, a, &p->measured, e))
        return false;
    bool flags = rater_flags(&p->reference) || rater_flags(&p->measured);
    if (!(flags ? choose_behavior(s, ask, p, a, e) : choose_field(s, ask, p, a, e)))
        return false;
    p->test_share = p->reference.set.name.ptr ? p->reference.set.test_share : p->measured.set.name.ptr ? p->measured.set.test_share : 0.5;
    if (!rater_opinions(s, ask->collection, &p->reference, &p->reading, a, &p->all, e) ||
        !rater_opinions(s, ask->collection, &p->measured, &p->reading, a, &measured, e))
        return false;
    opinions_majority(&p->all, a, &first);
    opinions_majority(&measured, a, &second);
    p->first.failed = first.failed;
    p->second.failed = second.failed;
    put_in_step(ask, p, &first, &second, a);
    return true;
}

/* Against one class alone, both figures would be what any constant has: they say nothing of the rater. */
static void undefine(struct compared *c)
{
    static const struct estimate undefined = {NAN, NAN, NAN};
    size_t used = 0;
    for (size_t i = 0; i < c->figures.nclasses; i++)
        used += c->figures.classes[i].reference > 0;
    if (used != 1)
        return;
    c->figures.balanced_accuracy = c->figures.kappa = c->figures.weighted_kappa = undefined;
    c->note = "the reference gave all these runs one value: balanced accuracy and kappa are not defined";
}

void pairing_compare(const struct pairing *p, struct arena *a, struct compared *out)
{
    struct slice *first = arena_array(a, struct slice, p->n), *second = arena_array(a, struct slice, p->n), *order;
    size_t norder = category_order(p, a, &order);
    for (size_t i = 0; i < p->n; i++) {
        first[i] = p->first.items[i].value;
        second[i] = p->second.items[i].value;
    }
    *out = (struct compared){.field = p->reading.flag ? p->reading.behavior : p->reading.field, .failed = p->second.failed,
                             .undecided = p->undecided};
    confusion_make(first, second, p->n, order, norder, a, &out->confusion);
    out->confusion.only_first = p->only_first;
    out->confusion.only_second = p->only_second;
    agreement_make(&out->confusion, AGREEMENT_SEED, a, &out->figures);
    undefine(out);
    out->positive = positive_of(p, &out->confusion);
    for (size_t i = 0; i < out->figures.nclasses && out->positive.ptr; i++)
        if (slice_eq(out->figures.classes[i].value, out->positive))
            out->of_positive = &out->figures.classes[i];
}
