#include "cli/cli.h"
#include "judge/agree.h"
#include "view/agreement.h"
#include "view/labels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 256 << 20, ENOUGH = 5 /* clear labels, for a behaviour to count in the mean */ };

static bool collection_of(struct cli *cli, struct store *store, struct slice *id, struct err *e)
{
    struct collection_row row;
    bool ok = cli_collection(cli, store, &row, e);
    *id = ok ? row.id : SLICE_NONE;
    return ok;
}

static struct slice option(const struct cli *cli, const char *name) { return slice_str(cli_option(cli, name)); }

/* ---- sets -------------------------------------------------------------------------------------------------------------- */

static bool sets(struct cli *cli, struct err *e)
{
    static const struct column columns[] = {
        {"set", "name", 0, false}, {"rubric", "rubric", 0, false}, {"reading", "reading", 0, false}, {"labels", "labels", 0, true},
        {"runs", "runs", 0, true}, {"people", "people", 0, true}, {"test share", "test_share", 0, true}, {"title", "title", 60, false}, {0}};
    struct store *store = NULL;
    struct slice collection = SLICE_NONE;
    struct label_sets list = {0};
    bool ok = cli_open(cli, STORE_READ, &store, e) && (!cli_option(cli, "collection") || collection_of(cli, store, &collection, e)) &&
              store_label_sets(store, collection, &cli->arena, &list, e);
    struct rows rows = {0};
    if (ok)
        rows = rows_start(cli, columns);
    for (size_t i = 0; i < list.n; i++) {
        view_label_set(rows_next(&rows), &list.items[i]);
        rows_add(&rows);
    }
    if (ok)
        rows_end(&rows, SLICE_NONE);
    else
        rows_drop(&rows);
    store_close(store);
    return ok;
}

/* ---- import and export -------------------------------------------------------------------------------------------------- */

static bool read_file(const char *path, struct str *out, struct err *e)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!in)
        return err_errno(e, "cannot read %s", path);
    for (;;) {
        enum { PIECE = 1 << 16 };
        char *room = str_reserve(out, PIECE);
        if (!room) {
            fclose(in);
            return err_set(e, ERR_TOO_LARGE, "%s is larger than %d MB", path, TEXT_MAX >> 20);
        }
        size_t n = fread(room, 1, PIECE, in);
        out->len += n;
        if (n < PIECE)
            break;
    }
    bool ok = !ferror(in) || err_errno(e, "cannot read %s", path);
    fclose(in);
    return ok;
}

static void say_done(const struct cli *cli, const char *path, const struct labels_done *done)
{
    if (cli->output == OUTPUT_JSON || cli->output == OUTPUT_JSONL) {
        struct str text = STR_INIT(TEXT_MAX);
        struct jsonw j = jsonw_to(&text);
        view_labels_done(&j, done);
        printf("%.*s\n", SLICE_ARG(str_slice(&text)));
        str_free(&text);
    } else if (!cli->quiet) {
        printf("%s: %llu labels new, %llu changed, %llu known\n", path, (unsigned long long)done->added, (unsigned long long)done->changed,
               (unsigned long long)done->same);
        unsigned long long placed = done->placed, quotes = placed + done->unplaced;
        if (quotes)
            printf("%llu of %llu quotes stand in their run\n", placed, quotes);
    }
    for (size_t i = 0; i < done->nerrors; i++)
        fprintf(stderr, "%s:%lld: %.*s\n", path, (long long)done->errors[i].line, SLICE_ARG(done->errors[i].message));
    if (done->refused > done->nerrors)
        fprintf(stderr, "%s: and %llu rows more\n", path, (unsigned long long)(done->refused - done->nerrors));
}

/* By the file's name where --format does not say. */
static bool format_of(const struct cli *cli, const char *path, enum labels_format *out, struct err *e)
{
    struct slice said = option(cli, "format"), name = slice_str(path);
    if (!said.ptr)
        said = slice_str(slice_ends(name, ".csv") ? "csv" : slice_ends(name, ".jsonl") || slice_ends(name, ".native") ? "jsonl" : slice_ends(name, ".tsv") ? "behaviors" : "");
    return labels_format_parse(said, out) ||
           err_set(e, ERR_USAGE, "%s: say what it is with --format csv, jsonl, native, behaviors or who-and-when", path);
}

static bool import(struct cli *cli, bool *refused, struct err *e)
{
    struct store *store = NULL;
    struct labels_ask ask = {.set = option(cli, "set"), .who = option(cli, "who")};
    if (cli->nargs < 2)
        return err_set(e, ERR_USAGE, "labels import takes the files to read");
    bool ok = cli_open(cli, STORE_WRITE, &store, e) && collection_of(cli, store, &ask.collection, e);
    for (size_t i = 1; ok && i < cli->nargs; i++) {
        struct arena a = {0};
        struct str text = STR_INIT(TEXT_MAX);
        struct labels_done done = {0};
        ok = format_of(cli, cli->args[i], &ask.format, e) && read_file(cli->args[i], &text, e) &&
             labels_import(store, &ask, str_slice(&text), &a, &done, e);
        if (ok)
            say_done(cli, cli->args[i], &done);
        *refused |= done.refused > 0;
        str_free(&text);
        arena_free(&a);
    }
    store_close(store);
    return ok;
}

static bool export(struct cli *cli, struct err *e)
{
    struct store *store = NULL;
    struct slice set = option(cli, "set"), as = option(cli, "as"), collection = SLICE_NONE;
    struct str text = STR_INIT(TEXT_MAX);
    enum labels_export form = LABELS_AS_JSONL;
    if (!set.ptr)
        return err_set(e, ERR_USAGE, "labels export needs --set NAME; telltale labels sets lists them");
    if (as.ptr && !labels_export_parse(as, &form))
        return err_set(e, ERR_USAGE, "--as is csv, jsonl or native, not '%s'", as.ptr);
    bool ok = cli_open(cli, STORE_READ, &store, e) && (!cli_option(cli, "collection") || collection_of(cli, store, &collection, e)) &&
              labels_export(store, set, collection, form, &text, e);
    if (ok && (fwrite(text.ptr ? text.ptr : "", 1, text.len, stdout) != text.len || fflush(stdout) != 0))
        ok = err_errno(e, "cannot write the labels");
    str_free(&text);
    store_close(store);
    return ok;
}

/* ---- score -------------------------------------------------------------------------------------------------------------- */

static bool split_of(const struct cli *cli, struct agreement_ask *ask, struct err *e)
{
    struct slice split = option(cli, "split");
    ask->split = slice_is(split, "dev") ? SPLIT_DEV : slice_is(split, "test") ? SPLIT_TEST : SPLIT_ALL;
    return !split.ptr || ask->split != SPLIT_ALL || slice_is(split, "all") ||
           err_set(e, ERR_USAGE, "--split is dev, test or all, not '%s'", split.ptr);
}

static void kestimate(struct jsonw *j, const char *key, struct estimate x)
{
    jsonw_key(j, key);
    jsonw_object(j);
    jsonw_knum(j, "value", x.value);
    jsonw_knum(j, "low", x.low);
    jsonw_knum(j, "high", x.high);
    jsonw_end(j);
}

/* Of the value that is looked for; of a field without one, of them all together. */
static void score_row(struct jsonw *j, struct slice name, const struct compared *c)
{
    static const struct class_score none = {
        .precision = {NAN, NAN, NAN}, .recall = {NAN, NAN, NAN}, .f1 = {NAN, NAN, NAN}, .always = {NAN, NAN, NAN}};
    const struct class_score *is = c->of_positive ? c->of_positive : &none;
    jsonw_object(j);
    jsonw_kstr(j, "measured", name);
    jsonw_kint(j, "n", (int64_t)c->confusion.n);
    jsonw_kstr(j, "positive", c->positive);
    jsonw_kint(j, "labelled", (int64_t)is->reference);
    jsonw_kint(j, "tp", (int64_t)is->both);
    jsonw_kint(j, "fp", (int64_t)(is->measured - is->both));
    jsonw_kint(j, "fn", (int64_t)(is->reference - is->both));
    kestimate(j, "precision", is->precision);
    kestimate(j, "recall", is->recall);
    kestimate(j, "f1", c->of_positive ? is->f1 : c->figures.macro_f1);
    kestimate(j, "kappa", c->figures.kappa);
    kestimate(j, "accuracy", c->figures.accuracy);
    jsonw_knum(j, "constant_f1", is->always.f1);
    jsonw_knum(j, "constant_accuracy", c->figures.constant_accuracy);
    jsonw_kint(j, "undecided", (int64_t)c->undecided);
    jsonw_kint(j, "failed", (int64_t)c->failed);
    jsonw_end(j);
}

struct mean { double sum; size_t n; };

static bool score_one(struct store *store, struct agreement_ask *ask, struct slice name, struct rows *rows, struct mean *mean, struct err *e)
{
    struct arena a = {0};
    struct compared c;
    bool ok = agreement_compare(store, ask, &a, &c, e);
    if (ok) {
        score_row(rows_next(rows), name, &c);
        rows_add(rows);
        if (c.of_positive && c.of_positive->reference >= ENOUGH) {
            mean->sum += c.of_positive->f1.value;
            mean->n++;
        }
    }
    arena_free(&a);
    return ok;
}

/* What the rules find, behaviour by behaviour: those that people saw, and those that only rules did. */
static bool score_behaviors(struct store *store, struct agreement_ask *ask, struct slice set, struct rows *rows, struct mean *mean, struct arena *a,
                            struct err *e)
{
    struct slices seen;
    struct summary summary;
    if (!agreement_behaviors(store, ask->collection, set, a, &seen, e) || !store_summary(store, ask->collection, a, &summary, e))
        return false;
    for (size_t i = 0; i < summary.nbehaviors; i++) {
        size_t k = 0;
        while (k < seen.n && !slice_eq(seen.items[k], summary.behaviors[i].name))
            k++;
        if (k < seen.n || summary.behaviors[i].kind == KIND_DATA)
            continue;
        seen.items = arena_grow(a, seen.items, seen.n, &seen.cap, sizeof *seen.items);
        seen.items[seen.n++] = summary.behaviors[i].name;
    }
    for (size_t i = 0; i < seen.n; i++) {
        ask->measured = arena_printf(a, "behavior:%.*s", SLICE_ARG(seen.items[i]));
        if (behavior_find(seen.items[i]) && !score_one(store, ask, seen.items[i], rows, mean, e))
            return false;
    }
    return true;
}

/* All judges of the set's rubric. */
static bool score_judges(struct store *store, struct agreement_ask *ask, const struct label_set *set, struct rows *rows, struct mean *mean,
                         struct arena *a, struct err *e)
{
    struct judge_row *judges;
    size_t n;
    if (!set->rubric.ptr)
        return err_set(e, ERR_USAGE, "the set \"%.*s\" belongs to no rubric: say with --against who is scored, such as judge:RUBRIC@VERSION/KEY",
                       SLICE_ARG(set->name));
    if (!store_judges(store, ask->collection, set->rubric, a, &judges, &n, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct slice name = arena_printf(a, "judge:%.*s@%lld/%.*s", SLICE_ARG(judges[i].rubric), (long long)judges[i].version,
                                         SLICE_ARG(slice_sub(judges[i].judge_key, 0, 8)));
        ask->measured = name;
        if (!score_one(store, ask, arena_printf(a, "%.*s %.*s", SLICE_ARG(name), SLICE_ARG(judges[i].judge)), rows, mean, e))
            return false;
    }
    return true;
}

static bool score_all(struct cli *cli, struct store *store, struct agreement_ask *ask, struct rows *rows, struct mean *mean, struct err *e)
{
    struct label_set set;
    struct slices against = cli_options(cli, "against");
    if (!store_label_set(store, option(cli, "set"), &cli->arena, &set, e))
        return false;
    ask->reference = arena_printf(&cli->arena, "people:%.*s", SLICE_ARG(set.name));
    for (size_t i = 0; i < against.n; i++) {
        ask->measured = against.items[i];
        if (!score_one(store, ask, against.items[i], rows, mean, e))
            return false;
    }
    if (against.n)
        return true;
    return set.reading == READING_ALL ? score_behaviors(store, ask, set.name, rows, mean, &cli->arena, e)
                                      : score_judges(store, ask, &set, rows, mean, &cli->arena, e);
}

static bool score(struct cli *cli, struct err *e)
{
    static const struct column columns[] = {
        {"measured", "measured", 0, false}, {"runs", "n", 0, true}, {"labelled", "labelled", 0, true}, {"tp", "tp", 0, true}, {"fp", "fp", 0, true},
        {"fn", "fn", 0, true}, {"precision", "precision.value", 0, true}, {"from", "precision.low", 0, true}, {"to", "precision.high", 0, true},
        {"recall", "recall.value", 0, true}, {"from", "recall.low", 0, true}, {"to", "recall.high", 0, true}, {"F1", "f1.value", 0, true},
        {"from", "f1.low", 0, true}, {"to", "f1.high", 0, true}, {"always", "constant_f1", 0, true}, {"kappa", "kappa.value", 0, true}, {0}};
    struct store *store = NULL;
    struct agreement_ask ask = {.field = option(cli, "field")};
    struct mean mean = {0};
    if (!option(cli, "set").ptr)
        return err_set(e, ERR_USAGE, "labels score needs --set NAME; telltale labels sets lists them");
    bool ok = split_of(cli, &ask, e) && cli_open(cli, STORE_READ, &store, e) && collection_of(cli, store, &ask.collection, e);
    if (ok) {
        struct rows rows = rows_start(cli, columns);
        ok = score_all(cli, store, &ask, &rows, &mean, e);
        double macro = mean.n ? mean.sum / (double)mean.n : NAN;
        if (ok && mean.n)
            rows_end(&rows, arena_printf(&cli->arena, "\"macro_f1\":%.6f,\"macro_over\":%zu", macro, mean.n));
        else if (ok)
            rows_end(&rows, SLICE_NONE);
        else
            rows_drop(&rows);
        if (ok && mean.n > 1 && cli->output == OUTPUT_TABLE)
            printf("\nmean F1 %.3f over the %zu with %d labels or more. Intervals are 95 %%; \"always\" is the F1 of saying yes of every run.\n",
                   macro, mean.n, ENOUGH);
    }
    store_close(store);
    return ok;
}

/* ---- agreement ---------------------------------------------------------------------------------------------------------- */

static void figure(struct rows *rows, const char *name, struct slice of, struct estimate x, double constant)
{
    struct jsonw *j = rows_next(rows);
    jsonw_object(j);
    jsonw_kstrz(j, "figure", name);
    jsonw_kstr(j, "of", of);
    jsonw_knum(j, "value", x.value);
    jsonw_knum(j, "low", x.low);
    jsonw_knum(j, "high", x.high);
    jsonw_knum(j, "constant", constant);
    jsonw_end(j);
    rows_add(rows);
}

static void figures(struct cli *cli, const struct compared *c)
{
    static const struct column columns[] = {{"figure", "figure", 0, false}, {"of", "of", 40, false}, {"value", "value", 0, true},
                                            {"from", "low", 0, true}, {"to", "high", 0, true}, {"constant", "constant", 0, true}, {0}};
    struct rows rows = rows_start(cli, columns);
    size_t used = 0;
    for (size_t i = 0; i < c->figures.nclasses; i++) {
        const struct class_score *is = &c->figures.classes[i];
        used += is->reference > 0;
        if (!is->reference && !is->measured)
            continue;
        figure(&rows, "precision", is->value, is->precision, is->always.precision);
        figure(&rows, "recall", is->value, is->recall, is->always.recall);
        figure(&rows, "F1", is->value, is->f1, is->always.f1);
    }
    figure(&rows, "accuracy", SLICE_NONE, c->figures.accuracy, c->figures.constant_accuracy);
    figure(&rows, "balanced accuracy", SLICE_NONE, c->figures.balanced_accuracy, used > 1 ? 1 / (double)used : NAN);
    figure(&rows, "Cohen's kappa", SLICE_NONE, c->figures.kappa, used > 1 ? 0 : NAN);
    if (!isnan(c->figures.weighted_kappa.value))
        figure(&rows, "weighted kappa", SLICE_NONE, c->figures.weighted_kappa, 0);
    rows_end(&rows, SLICE_NONE);
    if (cli->output == OUTPUT_TABLE)
        printf("\n%zu runs that both rated; %zu only the reference, %zu only the measured; %llu left open, %llu failed judgments\n", c->confusion.n,
               c->confusion.only_first, c->confusion.only_second, (unsigned long long)c->undecided, (unsigned long long)c->failed);
    if (cli->output == OUTPUT_TABLE && c->note)
        printf("%s\n", c->note);
}

static bool agreement(struct cli *cli, struct err *e)
{
    struct store *store = NULL;
    struct agreement_ask ask = {.field = option(cli, "field"), .limit = DISAGREEMENTS_MAX};
    struct compared c;
    if (cli->nargs != 3)
        return err_set(e, ERR_USAGE,
                       "labels agreement takes two raters: people:SET, person:SET/WHO, judge:RUBRIC@VERSION/KEY, detector:ID, "
                       "behavior:NAME, findings:NAME");
    ask.reference = slice_str(cli->args[1]);
    ask.measured = slice_str(cli->args[2]);
    bool ok = split_of(cli, &ask, e) && cli_open(cli, STORE_READ, &store, e) &&
              (!cli_option(cli, "collection") || collection_of(cli, store, &ask.collection, e));
    if (ok && cli->output == OUTPUT_JSON) {
        struct str text = STR_INIT(TEXT_MAX);
        struct jsonw j = jsonw_to(&text);
        ok = agreement_write(store, &ask, &j, e);
        if (ok)
            printf("%.*s\n", SLICE_ARG(str_slice(&text)));
        str_free(&text);
    } else if (ok && (ok = agreement_compare(store, &ask, &cli->arena, &c, e))) {
        figures(cli, &c);
    }
    store_close(store);
    return ok;
}

int cmd_labels(struct cli *cli)
{
    struct err e = {0};
    struct slice what = slice_str(cli->args[0]);
    bool ok = false, refused = false;
    if (slice_is(what, "sets"))
        ok = sets(cli, &e);
    else if (slice_is(what, "import"))
        ok = import(cli, &refused, &e);
    else if (slice_is(what, "export"))
        ok = export(cli, &e);
    else if (slice_is(what, "score"))
        ok = score(cli, &e);
    else if (slice_is(what, "agreement"))
        ok = agreement(cli, &e);
    else
        err_set(&e, ERR_USAGE, "labels %s: it is sets, import, export, score or agreement", cli->args[0]);
    return ok ? refused : cli_fail(&e);
}
