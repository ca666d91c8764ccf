#include "ingest/carry.h"

#include "base/hash.h"
#include "ingest/ownrules.h"
#include "judge/rubric.h"
#include "storage/exceptions.h"
#include "storage/judging.h"

static bool is_shipped(const struct rubric_row *row)
{
    struct arena a = {0};
    struct rubric *shipped;
    unsigned char hash[HASH_SIZE];
    bool is = false;
    hash_of(row->body, hash);
    size_t n = rubrics_shipped(&a, &shipped);
    for (size_t i = 0; i < n; i++) {
        is |= slice_eq(shipped[i].name, row->name) && memcmp(shipped[i].hash, hash, HASH_SIZE) == 0;
        rubric_free(&shipped[i]);
    }
    arena_free(&a);
    return is;
}

/* Judges will ask what it says: it has to be a rubric, by the name that it comes under. */
static bool check_rubric(struct rubric_row *row, struct arena *a, struct err *e)
{
    struct problems problems = {0};
    struct rubric rubric;
    if (!rubric_parse(row->body, row->name, a, a, &problems, &rubric))
        return err_set(e, ERR_FORMAT, "the body of rubric %.*s is no rubric: %.*s", SLICE_ARG(slice_cut(row->name, 100)),
                       SLICE_ARG(problems.n ? problems.items[0].message : SLICE_NONE));
    bool same = slice_eq(rubric.name, row->name);
    if (!same)
        err_set(e, ERR_FORMAT, "the body of rubric %.*s is of a rubric named %.*s", SLICE_ARG(slice_cut(row->name, 100)), SLICE_ARG(slice_cut(rubric.name, 100)));
    row->title = rubric.title;
    row->behavior = rubric.behavior;
    row->shipped = row->shipped && is_shipped(row);
    rubric_free(&rubric);
    return same;
}

bool carry_rubric(struct store *s, const struct jvalue *v, int64_t imported, struct err *e)
{
    struct arena a = {0};
    struct rubric_row row = {
        .name = jstr(jget(v, "name")),
        .body = jis(jget(v, "body"), J_OBJECT) ? jraw(&a, jget(v, "body")) : SLICE_NONE,
        .author = jstr(jget(v, "author")),
        .note = jstr(jget(v, "note")),
        .created_at = jstr(jget(v, "created_at")),
        .carried = imported,
    };
    jint(jget(v, "version"), &row.version);
    jbool(jget(v, "shipped"), &row.shipped);
    bool ok = !row.name.len || !row.body.ptr || row.version < 1 || row.version > RUBRIC_VERSION_MAX ||
              (check_rubric(&row, &a, e) && store_rubric_carry(s, &row, e));
    arena_free(&a);
    return ok;
}

/* What a line says is to blame for: the line is refused, and the import goes on. */
static bool refuse_line(struct err *e)
{
    if (e->code == ERR_USAGE || e->code == ERR_LIMIT)
        e->code = ERR_FORMAT;
    return false;
}

bool carry_label_set(struct store *s, const struct jvalue *v, const struct secrets *secrets, struct err *e)
{
    struct arena a = {0};
    struct label_set set = {
        .name = jstr(jget(v, "name")),
        .title = jstr(jget(v, "title")),
        .description = jstr(jget(v, "description")),
        .rubric = jstr(jget(v, "rubric")),
        .schema = jis(jget(v, "schema"), J_OBJECT) ? jraw(&a, jget(v, "schema")) : SLICE_NONE,
        .created_at = jstr(jget(v, "created_at")),
        .reading = slice_is(jstr(jget(v, "reading")), "all") ? READING_ALL : READING_ONE,
        .test_share = 0.5,
    };
    jnum(jget(v, "test_share"), &set.test_share);
    bool clean = redact_once(secrets, &a, &set.title, e) && redact_once(secrets, &a, &set.description, e) && redact_once(secrets, &a, &set.schema, e);
    bool ok = clean && (!set.name.len || store_label_set_carry(s, &set, e));
    arena_free(&a);
    return ok || (!clean && refuse_line(e));
}

bool carry_rule(struct store *s, const struct jvalue *v, struct err *e)
{
    struct arena a = {0};
    struct slice id = jstr(jget(v, "id"));
    struct own_rule_row row = {
        .text = jstr(jget(v, "text")),
        .author = jstr(jget(v, "author")),
        .note = jstr(jget(v, "note")),
        .created_at = jstr(jget(v, "created_at")),
    };
    bool ok = id.ptr && row.text.ptr && row.text.len <= OWN_RULE_BYTES
                  ? own_rule_check(row.text, id, &a, &row.id, e) && store_own_rule_carry(s, &row, e)
                  : err_set(e, ERR_FORMAT, "this rule has no id, no text, or one of over %d KB", OWN_RULE_BYTES >> 10);
    arena_free(&a);
    return ok || refuse_line(e);
}

bool carry_exception(struct store *s, struct slice collection, const struct jvalue *v, struct err *e)
{
    struct arena a = {0};
    struct exception_row row = {
        .id = jstr(jget(v, "id")),
        .collection = collection,
        .detector = jstr(jget(v, "detector")),
        .condition = jis(jget(v, "when"), J_OBJECT) ? jraw(&a, jget(v, "when")) : SLICE_NONE,
        .reviewer = jstr(jget(v, "reviewer")),
        .note = jstr(jget(v, "note")),
        .created_at = jstr(jget(v, "created_at")),
    };
    bool ok = uuid_valid(row.id) && row.condition.ptr ? store_exception_carry(s, &row, e)
                                                      : err_set(e, ERR_FORMAT, "this exception has no id, or no condition");
    arena_free(&a);
    return ok || refuse_line(e);
}
