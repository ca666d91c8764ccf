/* The index of 4-grams: whatever was put in and merged, no block that holds a literal is missed, and few others are named. */
#include "storage/grams.h"

#include "storage/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TEXT = 600 };

static struct store *store;
static struct grams *grams;
static struct arena arena; /* the texts of the blocks */
static struct { int64_t id; struct slice text; bool gone; } *blocks;
static size_t nblocks;

static uint64_t seed = 88172645463325252u;
static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

static int setup(void **state)
{
    (void)state;
    struct err e = {0};
    if (!store_open(":memory:", STORE_WRITE, &store, &e))
        fail_msg("%s", e.text);
    grams = grams_new();
    blocks = calloc(10000, sizeof *blocks);
    nblocks = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    grams_free(grams);
    store_close(store);
    free(blocks);
    arena_free(&arena);
    return 0;
}

static int64_t number(const char *sql)
{
    struct err e = {0};
    struct stmt *q = db_prepare(store->db, sql, &e);
    if (!q || stmt_step(q, &e) != STEP_ROW)
        fail_msg("%s: %s", sql, e.text);
    int64_t n = take_int(q);
    stmt_reset(q);
    return n;
}

/* Words of an alphabet of 400, so that grams are shared; now and then one that is rare. */
static struct slice random_text(void)
{
    char text[TEXT + 32];
    size_t len = 0;
    while (len < TEXT) {
        uint32_t w = below(400);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%c%c%c%u ", w % 3 ? "re" : "Con", 'a' + (int)(w % 26),
                                'A' + (int)(w % 7), 'k' + (int)(w % 5), w);
        if (below(2000) == 0)
            len += (size_t)snprintf(text + len, sizeof text - len, "Rare%uWord ", below(50));
    }
    return arena_dup(&arena, slice_of(text, TEXT));
}

/* One commit of n blocks, every seventh of which is of use to nobody. */
static void put(size_t n)
{
    struct err e = {0};
    size_t first = nblocks;
    int64_t first_block = number("SELECT coalesce(max(id), 0) + 1 FROM block");
    for (size_t i = 0; i < n; i++) {
        blocks[nblocks].text = random_text();
        blocks[nblocks].id = first_block + (int64_t)(2 * i); /* the places between are blocks that cannot be searched */
        blocks[nblocks].gone = below(7) == 0;
        nblocks++;
    }
    for (size_t i = 0; i < n; i++) { /* not quite in order: of each three, the last comes first */
        size_t k = i / 3 * 3 + 2 < n ? i / 3 * 3 + (i + 2) % 3 : i;
        grams_add(grams, (uint32_t)(2 * k), &blocks[first + k].text, 1);
    }
    assert_true(grams_bytes(grams) > n * 100);
    assert_true(db_write(store->db, &e));
    for (size_t i = first; i < nblocks; i++) {
        struct stmt *q = db_prepare(store->db, "INSERT INTO block (id, searchable, data) SELECT $1, 1, x'00' WHERE $2", &e);
        bind_int(q, blocks[i].id);
        bind_int(q, !blocks[i].gone);
        assert_true(stmt_run(q, &e));
    }
    bool ok = grams_write(store, grams, first_block, &e);
    if (!db_end(store->db, ok, &e))
        fail_msg("%s", e.text);
    grams_reset(grams);
    assert_int_equal(grams_bytes(grams), 0);
}

static void take_away(size_t i)
{
    struct stmt *q = db_prepare(store->db, "DELETE FROM block WHERE id = $1", NULL);
    bind_int(q, blocks[i].id);
    assert_true(stmt_run(q, NULL));
    blocks[i].gone = true;
}

static bool matches(const struct needs *needs, struct slice text)
{
    char folded[TEXT];
    for (size_t i = 0; i < TEXT; i++)
        folded[i] = (char)fold_byte((unsigned char)text.ptr[i]);
    for (size_t c = 0; c < needs->n; c++) {
        bool any = false;
        for (size_t k = 0; k < needs->all[c].n; k++)
            any |= slice_find(slice_of(folded, TEXT), needs->all[c].any[k]) >= 0;
        if (!any)
            return false;
    }
    return true;
}

/* Asks for a pattern; how many blocks hold it, how many held it before they were deleted, and how many are named. */
static void ask(const char *pattern, size_t *right, size_t *held, size_t *named)
{
    struct arena a = {0};
    struct err e = {0};
    struct needs needs;
    needs_of_pattern(&a, slice_str(pattern), 0, &needs);
    assert_true(needs.n > 0);
    int64_t *ids;
    if (!grams_candidates(store, &needs, &a, &ids, named, &e))
        fail_msg("%s", e.text);
    for (size_t i = 1; i < *named; i++)
        assert_true(ids[i] < ids[i - 1]);
    *right = *held = 0;
    for (size_t i = nblocks, k = 0; i-- > 0;) {
        bool match = matches(&needs, blocks[i].text);
        *held += match;
        if (blocks[i].gone || !match)
            continue;
        while (k < *named && ids[k] > blocks[i].id)
            k++;
        if (k == *named || ids[k] != blocks[i].id)
            fail_msg("%s: block %lld was missed", pattern, (long long)blocks[i].id);
        ++*right;
    }
    arena_free(&a);
}

/* Many patterns; how many (pattern, block) pairs there were to find. */
static size_t check(void)
{
    size_t right, held, named, all_right = 0, all_held = 0, all_named = 0;
    for (int i = 0; i < 50; i++) {
        char pattern[64];
        snprintf(pattern, sizeof pattern, i % 3 ? "Rare%dWord" : "rare%dword|(?i)CONAA", i);
        ask(pattern, &right, &held, &named);
        all_right += right;
        all_held += held;
        all_named += named;
    }
    ask("no such words", &right, &held, &named);
    assert_int_equal(right, 0);
    assert_true(all_named <= 2 * all_held + 50 * 10 || nblocks < 100);
    return all_right;
}

static void finds_every_block(void **state)
{
    (void)state;
    put(1);
    check();
    put(17);
    check();
    for (int i = 0; i < 40; i++)
        put(1 + below(30));
    check();
    /* Segments stay few: at most three of each size, of which there are seven. */
    assert_true(number("SELECT count(*) FROM gram_segment") < 21);
    int64_t listed = number("SELECT sum(n) FROM gram_segment"), there = number("SELECT count(*) FROM block");
    assert_true(listed == there); /* what was never written is listed nowhere */
    put(3000);
    put(1500); /* does not fit into one segment with the others */
    put(700);
    assert_true(check() > 100);
    assert_int_equal(number("SELECT count(*) FROM gram_segment WHERE n > 4096"), 0);
    assert_int_equal(number("SELECT count(*) FROM gram_part WHERE id >> 16 NOT IN (SELECT id FROM gram_segment)"), 0);
    assert_int_equal(number("SELECT count(*) FROM gram_segment a JOIN gram_segment b ON a.id < b.id AND a.last >= b.first"), 0);
}

static void what_is_deleted_leaves_the_index(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++)
        put(20);
    int64_t before = number("SELECT sum(n) FROM gram_segment");
    for (size_t i = 0; i < nblocks; i += 2)
        take_away(i);
    check(); /* what is left is still found */
    for (int i = 0; i < 16; i++)
        put(20);
    check();
    assert_true(number("SELECT sum(n) FROM gram_segment") < before + 16 * 20 - 60);
    for (size_t i = 0; i < nblocks; i++)
        take_away(i);
    assert_int_equal(check(), 0);
    put(1);
    assert_true(number("SELECT count(*) FROM gram_segment") <= 1);
    assert_true(number("SELECT count(*) FROM gram_part") <= 1);
    check();
}

/* More blocks in one commit than a segment takes; blocks without any gram. */
static void a_large_put(void **state)
{
    (void)state;
    struct slice none = slice_str("abc");
    put(5000);
    assert_int_equal(number("SELECT count(*) FROM gram_segment"), 2);
    check();
    grams_add(grams, 0, &none, 1);
    grams_add(grams, 1, NULL, 0);
    assert_true(db_write(store->db, NULL));
    int64_t first = number("SELECT max(id) + 1 FROM block");
    assert_true(db_script(store->db, "INSERT INTO block (searchable, data) VALUES (1, x'00'), (1, x'00')", NULL));
    assert_true(db_end(store->db, grams_write(store, grams, first, NULL), NULL));
    grams_reset(grams);
    check();
}

static void damage_is_an_error(void **state)
{
    (void)state;
    static const char *const harm[] = {
        "UPDATE gram_part SET data = x''", "UPDATE gram_part SET data = substr(data, 1, length(data) / 2)",
        "UPDATE gram_segment SET n = 5000",
        "UPDATE gram_segment SET part_bits = 60", "UPDATE gram_segment SET blocks = x'80'", "DELETE FROM gram_part",
        "UPDATE gram_part SET data = CAST(zeroblob(length(data)) || x'ffffff' AS BLOB)",
        "UPDATE gram_part SET data = randomblob(length(data))",
    };
    put(300);
    for (size_t i = 0; i < sizeof harm / sizeof *harm; i++) {
        struct err e = {0};
        struct arena a = {0};
        assert_true(db_script(store->db, "SAVEPOINT s", NULL));
        assert_true(db_script(store->db, harm[i], &e));
        struct needs needs;
        needs_of_pattern(&a, slice_str("rare7word & condk91"), REGEX_LITERAL, &needs);
        int64_t *ids;
        size_t n;
        if (!grams_candidates(store, &needs, &a, &ids, &n, &e))
            assert_int_equal(e.code, ERR_IO);
        grams_add(grams, 0, &blocks[0].text, 1);
        if (!grams_write(store, grams, 1000000, &e))
            assert_int_equal(e.code, ERR_IO);
        grams_reset(grams);
        arena_free(&a);
        assert_true(db_script(store->db, "ROLLBACK TO s; RELEASE s", NULL));
    }
    check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_every_block, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_deleted_leaves_the_index, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_put, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
