/* Search: finds what a look at every text finds, in order and page by page, with its place to the byte. */
#include "store_fixture.h"

#include "base/clock.h"
#include "text/regex.h"

static uint64_t seed = 88172645463325252u;
static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

static struct search_hits search(struct fixture *f, struct search_query q)
{
    struct search_hits hits;
    OK(store_search(f->store, &q, &f->a, &hits, &e));
    return hits;
}

static struct search_hits words(struct fixture *f, const char *pattern)
{
    return search(f, (struct search_query){.pattern = slice_str(pattern), .runs.collection = f->collection, .count = true});
}

static void hits_have_their_place(void **state)
{
    struct fixture *f = *state;
    struct run *run = simple_run(f, S("r1"), S("first line\nthen an Unusual_Word stands here\nlast line"));
    struct message *last = &run->transcripts->messages[2];
    last->reasoning = S("an unusual_word in thought");
    last->error = S("UNUSUAL_WORD failed");
    last->calls = arena_array(&f->a, struct tool_call, 2);
    last->calls[0] = (struct tool_call){.name = S("bash"), .arguments = S("{\"cmd\":\"nothing\"}")};
    last->calls[1] = (struct tool_call){.name = S("edit"), .arguments = S("{\"x\":\"unusual_word\"}")};
    last->ncalls = 2;
    put_run(f, run, "a.jsonl", 0, false, NULL);

    struct search_hits hits = words(f, "unusual_word");
    static const struct { const char *part, *tool; uint32_t start; const char *line; uint32_t line_start; } want[] = {
        {"text", "", 19, "then an Unusual_Word stands here", 11}, {"reasoning", "", 3, "an unusual_word in thought", 0},
        {"error", "", 0, "UNUSUAL_WORD failed", 0}, {"call:1.arguments", "edit", 6, "{\"x\":\"unusual_word\"}", 0},
    };
    assert_int_equal(hits.n, 4);
    assert_int_equal(hits.end.total, 4);
    assert_false(hits.incomplete);
    assert_null(hits.end.next.ptr);
    for (size_t i = 0; i < 4; i++) {
        const struct search_hit *h = &hits.items[i];
        assert_true(slice_is(h->part, want[i].part));
        assert_true(slice_is(h->tool, want[i].tool));
        assert_true(slice_is(h->line, want[i].line));
        assert_int_equal(h->start, want[i].start);
        assert_int_equal(h->end, want[i].start + 12);
        assert_int_equal(h->line_start, want[i].line_start);
        assert_int_equal(h->role, ROLE_ASSISTANT);
        assert_int_equal(h->transcript, 0);
        assert_int_equal(h->message, 2);
        assert_true(slice_is(h->external_id, "r1") && slice_is(h->task_id, "task-1") && slice_is(h->model, "model-a"));
        assert_true(slice_eq(h->collection, f->collection));
        assert_true(uuid_valid(h->run));
    }
}

/* A long line is cut around the match, and not within a character. */
static void lines_are_cut(void **state)
{
    struct fixture *f = *state;
    struct str text = STR_INIT(1 << 20);
    for (int i = 0; i < 1000; i++)
        str_addz(&text, "\xe2\x82\xac");
    str_addz(&text, "needle_in_it");
    for (int i = 0; i < 1000; i++)
        str_addz(&text, "\xc3\xa9");
    put_run(f, simple_run(f, S("long"), str_slice(&text)), "a.jsonl", 0, false, NULL);
    struct search_hits hits = words(f, "needle_in_it");
    assert_int_equal(hits.n, 1);
    const struct search_hit *h = &hits.items[0];
    assert_int_equal(h->start, 3000);
    assert_true(h->line.len <= 400 && h->line.len > 390);
    assert_true(h->line_start <= h->start && h->end <= h->line_start + h->line.len);
    assert_memory_equal(h->line.ptr, text.ptr + h->line_start, h->line.len);
    assert_int_not_equal((unsigned char)h->line.ptr[0] & 0xc0, 0x80);
    assert_int_equal((unsigned char)h->line.ptr[h->line.len - 2], 0xc3);
    str_free(&text);
}

static void patterns(void **state)
{
    struct fixture *f = *state;
    put_run(f, simple_run(f, S("a"), S("Die Stra\xc3\x9f" "e ist gesperrt. ERREUR: Caf\xc3\x89 ferm\xc3\xa9")), "a.jsonl", 0,
            false, NULL);
    put_run(f, simple_run(f, S("b"), S("a.c (x) 100%\tabc\0def")), "b.jsonl", 0, false, NULL);
    struct slice nul = slice_of("zero\0bytes", 10);
    put_run(f, simple_run(f, S("c"), nul), "c.jsonl", 0, false, NULL);
    static const struct { const char *pattern; bool regex, match_case; int64_t hits; } rows[] = {
        {"caf\xc3\xa9", false, false, 1}, {"caf\xc3\xa9", false, true, 0}, {"Caf\xc3\x89", false, true, 1},
        {"\xc3\xa9", false, true, 1}, {"erreur", false, false, 1},
        {"a.c", false, false, 1}, {"a.c .x", true, false, 1}, {"A.C .x", true, false, 0}, {"(?i)A.C .X", true, false, 1},
        {"(x)", false, false, 1}, {"100%", false, false, 1},
        {"\tab", false, false, 1}, {"x", false, false, 1}, {"gesperrt\\. (ERREUR|nothing)", true, false, 1},
        {"^Die", true, false, 1}, {"^Stra", true, false, 0},
        {"careful assistant", false, false, 3}, {"(?s)z.*s$", true, false, 1}, {"\\x00b", true, false, 1},
        {"nowhere at all", false, false, 0}, {"[qz]{3}", true, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct search_hits hits = search(f, (struct search_query){.pattern = slice_str(rows[i].pattern), .regex = rows[i].regex,
                                                                  .match_case = rows[i].match_case,
                                                                  .runs.collection = f->collection, .count = true});
        if (hits.end.total != rows[i].hits || hits.n != (size_t)rows[i].hits)
            fail_msg("%s: %lld hits, not %lld", rows[i].pattern, (long long)hits.end.total, (long long)rows[i].hits);
    }
    assert_int_equal(search(f, (struct search_query){.pattern = slice_of("o\0b", 3), .runs.collection = f->collection}).n, 1);
    struct search_hits hits;
    FAILS(ERR_USAGE, store_search(f->store, &(struct search_query){.pattern = S("")}, &f->a, &hits, &e));
    FAILS(ERR_USAGE, store_search(f->store, &(struct search_query){.pattern = S("a("), .regex = true}, &f->a, &hits, &e));
    FAILS(ERR_USAGE, store_search(f->store, &(struct search_query){.pattern = S("a"), .role = S("boss")}, &f->a, &hits, &e));
    FAILS(ERR_USAGE, store_search(f->store, &(struct search_query){.pattern = S("a"), .after = S("1.2.x")}, &f->a, &hits, &e));
    FAILS(ERR_USAGE, store_search(f->store, &(struct search_query){.pattern = S("a"), .runs.success = S("maybe")}, &f->a, &hits, &e));
    FAILS(ERR_USAGE, store_search(f->store, &(struct search_query){.pattern = S("a"), .limit = 1001}, &f->a, &hits, &e));
    FAILS(ERR_NOT_FOUND, store_search(f->store, &(struct search_query){.pattern = S("assistant"), .runs.collection = S("nowhere")},
                                      &f->a, &hits, &e));
}

static void filters(void **state)
{
    struct fixture *f = *state;
    struct collection_row other;
    struct run *run = simple_run(f, S("one"), S("say marker here"));
    run->success = VERDICT_PASSED;
    run->model = S("model-b");
    run->task_id = S("task-2");
    run->transcripts->messages[1].text = S("user marker");
    run->transcripts->messages[2].role = ROLE_TOOL;
    run->transcripts->messages[2].tool_name = S("bash");
    put_run(f, run, "a.jsonl", 0, false, NULL);
    put_run(f, simple_run(f, S("two"), S("another marker")), "b.jsonl", 0, false, NULL);
    struct slice first = f->collection;
    OK(store_collection_add(f->store, &(struct collection_row){.name = S("d")}, &f->a, &other, &e));
    f->collection = other.id;
    run = simple_run(f, S("three"), S("third marker"));
    run->success = VERDICT_UNKNOWN;
    run->task_id = SLICE_NONE;
    put_run(f, run, "c.jsonl", 0, false, NULL);
    f->collection = first;

    const struct { struct search_query q; int64_t hits; } rows[] = {
        {{.runs.collection = first}, 3}, {{.runs.collection = other.id}, 1}, {{.runs.collection = S("d")}, 1}, {{.role = SLICE_NONE}, 4},
        {{.role = S("user")}, 1}, {{.role = S("assistant")}, 2}, {{.role = S("user,tool")}, 2}, {{.role = S("system")}, 0},
        {{.tool = S("bash")}, 1}, {{.tool = S("edit,bash")}, 1}, {{.tool = S("edit")}, 0},
        {{.runs.model = S("model-b")}, 2}, {{.runs.model = S("model-a,model-b")}, 4}, {{.runs.model = S("model-c")}, 0},
        {{.runs.task = S("task-2")}, 2}, {{.runs.task = S("task-1")}, 1}, {{.runs.task = S("")}, 1}, {{.runs.success = S("true")}, 2},
        {{.runs.success = S("false")}, 1},
        {{.runs.success = S("unknown")}, 1}, {{.runs.success = S("true,false")}, 3},
        {{.runs.model = S("model-b"), .role = S("tool"), .runs.collection = first}, 1},
        {{.runs.model = S("model-b"), .runs.collection = other.id}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int regex = 0; regex < 2; regex++) { /* a literal by the index, a class by a look at everything */
            struct search_query q = rows[i].q;
            q.pattern = regex ? S("m[a]rk[e]r") : S("marker");
            q.regex = regex;
            q.count = true;
            struct search_hits hits = search(f, q);
            if (hits.end.total != rows[i].hits)
                fail_msg("filter %zu (%d): %lld hits", i, regex, (long long)hits.end.total);
        }
}

/* Several words are all in one text; what stands between quotes is one word. */
static void several_words(void **state)
{
    struct fixture *f = *state;
    struct run *run = simple_run(f, S("a"), S("the Disk is full: no space left, says \"df\""));
    run->transcripts->messages[2].reasoning = S("full of ideas");
    run->transcripts->messages[2].error = S("disk");
    put_run(f, run, "a.jsonl", 0, false, NULL);
    static const struct { const char *pattern; bool match_case; int64_t hits; const char *shown; } rows[] = {
        {"disk full", false, 1, "Disk"}, {"full disk", false, 1, "Disk"}, {"disk full ideas", false, 0, ""}, {"disk", false, 2, "Disk"},
        {"\"no space\" disk", false, 1, "Disk"}, {"\"space no\" disk", false, 0, ""}, {"  space   left, ", false, 1, "space"},
        {"disk full", true, 0, ""}, {"Disk full", true, 1, "Disk"}, {"\"df\"", false, 1, "df"}, {"says \"df", false, 1, "says"},
        {"\"says \"df\"", false, 1, "says \"df"}, {"\"is full", false, 0, ""}, {"full full full", false, 2, "full"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct search_hits hits = search(f, (struct search_query){.pattern = slice_str(rows[i].pattern), .match_case = rows[i].match_case,
                                                                  .count = true});
        if (hits.end.total != rows[i].hits)
            fail_msg("%s: %lld hits, not %lld", rows[i].pattern, (long long)hits.end.total, (long long)rows[i].hits);
        if (!hits.n)
            continue;
        struct slice shown = slice_sub(hits.items[0].line, hits.items[0].start - hits.items[0].line_start, hits.items[0].end - hits.items[0].start);
        if (!slice_is(shown, rows[i].shown))
            fail_msg("%s: \"%.*s\" is shown, not \"%s\"", rows[i].pattern, SLICE_ARG(shown), rows[i].shown);
    }
    struct search_hits hits;
    FAILS(ERR_USAGE, store_search(f->store, &(struct search_query){.pattern = S("   ")}, &f->a, &hits, &e));
    FAILS(ERR_USAGE, store_search(f->store, &(struct search_query){.pattern = S("\"\"")}, &f->a, &hits, &e));
    FAILS(ERR_USAGE, store_search(f->store, &(struct search_query){.pattern = S("a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7")},
                                  &f->a, &hits, &e));
}

/* The line that holds most of the words is shown, also where the longest of them stands alone before it. */
static void the_line_with_most_words(void **state)
{
    struct fixture *f = *state;
    struct str text = STR_INIT(1 << 20);
    str_addz(&text, "quarterly alone\nits budget\n");
    put_run(f, simple_run(f, S("most"), S("quarterly alone\nits budget\nthe budget of a plan\nquarterly again, and no plan")), "m.jsonl", 0, false, NULL);
    for (int i = 0; i < 200; i++)
        str_addz(&text, "quarterly and other words; ");
    str_addz(&text, "the plan: a Budget, quarterly; ");
    for (int i = 0; i < 200; i++)
        str_addz(&text, "budget and other words; ");
    put_run(f, simple_run(f, S("long"), str_slice(&text)), "l.jsonl", 0, false, NULL);
    put_run(f, simple_run(f, S("all"), S("Quarterly\nplan\nplan, budget and quarterly figures\nquarterly plan budget")), "a.jsonl", 0, false, NULL);
    static const struct { const char *run, *pattern, *line; } rows[] = {
        {"all", "quarterly plan budget", "plan, budget and quarterly figures"}, {"all", "quarterly plan", "plan, budget and quarterly figures"},
        {"all", "\"quarterly figures\" plan", "plan, budget and quarterly figures"}, {"all", "quarterly", "Quarterly"},
        {"most", "budget quarterly plan", "quarterly again, and no plan"}, {"long", "budget plan quarterly", "plan: a Budget, quarterly"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct search_hits hits = words(f, rows[i].pattern);
        bool found = false;
        for (size_t k = 0; k < hits.n; k++) {
            const struct search_hit *h = &hits.items[k];
            if (!slice_is(h->external_id, rows[i].run))
                continue;
            found = true;
            if (slice_find(h->line, slice_str(rows[i].line)) < 0)
                fail_msg("%s in %s: \"%.*s\"", rows[i].pattern, rows[i].run, SLICE_ARG(h->line));
            assert_true(h->start >= h->line_start && h->end <= h->line_start + h->line.len);
        }
        assert_true(found);
    }
    str_free(&text);
}

/* ---- against a look at every text --------------------------------------------------------------------------------------- */

enum { RUNS = 330 };

static struct slice random_text(struct fixture *f)
{
    static const char *const said[] = {"error", "Error", "the tool", "needle", "Needle", "file not found", "\xc3\xa9t\xc3\xa9",
                                       "0123abcd", "\n", "return", "foo.bar",
                                       "aaaa", "Traceback (most recent call last)", "ok"};
    struct str s = STR_INIT(1 << 20);
    uint32_t n = below(60) == 0 ? 3000 : below(40);
    for (uint32_t i = 0; i < n; i++) {
        str_addz(&s, below(50) == 0 ? said[below(sizeof said / sizeof *said)] : "filler words ");
        str_printf(&s, "%u ", below(1000));
    }
    if (below(30) == 0)
        str_printf(&s, "rare%u_thing", below(10));
    struct slice text = arena_dup(&f->a, str_slice(&s));
    str_free(&s);
    return text;
}

/* Runs with several transcripts, calls, and texts that others say too. */
static struct run *random_run(struct fixture *f, int i, struct slice *shared, size_t nshared)
{
    struct run *run = simple_run(f, arena_printf(&f->a, "run-%d", i), S("x"));
    run->ntranscripts = 1 + below(3);
    run->transcripts = arena_array(&f->a, struct transcript, run->ntranscripts);
    for (size_t t = 0; t < run->ntranscripts; t++) {
        struct transcript *tr = &run->transcripts[t];
        tr->nmessages = below(8);
        tr->messages = arena_array(&f->a, struct message, tr->nmessages + 1);
        for (size_t m = 0; m < tr->nmessages; m++) {
            struct slice text = below(3) ? random_text(f) : shared[below((uint32_t)nshared)];
            struct message *msg = message(&tr->messages[m], (enum role)below(4), text);
            if (below(4) == 0)
                msg->reasoning = random_text(f);
            if (below(9) == 0)
                msg->error = random_text(f);
            if (msg->role == ROLE_TOOL)
                msg->tool_name = below(2) ? S("bash") : S("edit");
            msg->ncalls = below(3);
            msg->calls = arena_array(&f->a, struct tool_call, msg->ncalls + 1);
            for (size_t c = 0; c < msg->ncalls; c++)
                msg->calls[c] = (struct tool_call){.name = below(2) ? S("bash") : S("edit"), .arguments = random_text(f)};
        }
    }
    return run;
}

struct expected {
    struct { struct slice external_id; int32_t transcript, message; struct slice part; size_t start, end; } *items;
    size_t n, cap;
};

static void expect(struct fixture *f, struct expected *all, const struct regex *re, struct regex_scratch *scratch,
                   const struct run *run, int32_t t, int32_t m,
                   struct slice part, struct slice text)
{
    struct regex_match match;
    if (!text.len || regex_find(re, scratch, text, 0, 0, &match) != REGEX_YES)
        return;
    all->items = arena_grow(&f->a, all->items, all->n, &all->cap, sizeof *all->items);
    all->items[all->n].external_id = run->external_id;
    all->items[all->n].transcript = t;
    all->items[all->n].message = m;
    all->items[all->n].part = part;
    all->items[all->n].start = match.start;
    all->items[all->n++].end = match.end;
}

static void look_everywhere(struct fixture *f, struct expected *all, const char *pattern, int flags, struct run **runs,
                            const int *order, size_t n)
{
    struct regex *re;
    struct regex_scratch *scratch = regex_scratch_new();
    OK(regex_compile(slice_str(pattern), flags, &re, &e));
    for (size_t i = 0; i < n; i++) {
        const struct run *run = runs[order[i]];
        for (size_t t = 0; t < run->ntranscripts; t++)
            for (size_t m = 0; m < run->transcripts[t].nmessages; m++) {
                const struct message *msg = &run->transcripts[t].messages[m];
                expect(f, all, re, scratch, run, (int32_t)t, (int32_t)m, S("text"), msg->text);
                expect(f, all, re, scratch, run, (int32_t)t, (int32_t)m, S("reasoning"), msg->reasoning);
                expect(f, all, re, scratch, run, (int32_t)t, (int32_t)m, S("error"), msg->error);
                for (size_t c = 0; c < msg->ncalls; c++)
                    expect(f, all, re, scratch, run, (int32_t)t, (int32_t)m, arena_printf(&f->a, "call:%zu.arguments", c),
                           msg->calls[c].arguments);
            }
    }
    regex_free(re);
    regex_scratch_free(scratch);
}

static void compare_hits(const char *pattern, const struct expected *want, const struct search_hits *got, size_t from)
{
    for (size_t i = 0; i < got->n; i++) {
        const struct search_hit *h = &got->items[i];
        if (from + i >= want->n)
            fail_msg("%s: a hit too many in %.*s", pattern, SLICE_ARG(h->external_id));
        if (!slice_eq(h->external_id, want->items[from + i].external_id) || h->transcript != want->items[from + i].transcript ||
            h->message != want->items[from + i].message || !slice_eq(h->part, want->items[from + i].part) ||
                h->start != want->items[from + i].start ||
            h->end != want->items[from + i].end)
            fail_msg("%s: hit %zu is in %.*s transcript %d message %d %.*s [%u, %u), not %.*s %d %d %.*s [%zu, %zu)", pattern,
                     from + i, SLICE_ARG(h->external_id),
                     h->transcript, h->message, SLICE_ARG(h->part), h->start, h->end,
                         SLICE_ARG(want->items[from + i].external_id),
                     want->items[from + i].transcript, want->items[from + i].message, SLICE_ARG(want->items[from + i].part),
                         want->items[from + i].start,
                     want->items[from + i].end);
    }
}

static const struct { const char *pattern; bool regex; } asked[] = {
    {"needle", false}, {"Needle", true}, {"rare3_thing", false}, {"rare[0-4]_thing", true}, {"(?i)error|traceback", true},
    {"\xc3\x89T\xc3\x89", false},
    {"[0-9]{4}[a-d]+", true}, {"ok", false}, {"Traceback \\(most.*0", true}, {"no such thing", false}, {"filler", false},
    {"^filler(?s:.*)needle", true}, {"9$", true},
};

static void finds_what_a_look_at_everything_finds(void **state)
{
    struct fixture *f = *state;
    struct slice shared[10];
    struct run *runs[RUNS];
    int order[RUNS];
    size_t n = 0;
    for (int i = 0; i < 10; i++)
        shared[i] = random_text(f);
    for (int i = 0, put = 0; i < RUNS; put++) { /* several imports, each of several runs */
        struct store *s = f->store;
        struct put *p = store_put_new(s, &(struct put_target){.collection = f->collection, .imported = 1000 + put});
        int first = i, last = i + 1 + (int)below(15);
        for (; i < last && i < RUNS; i++) {
            runs[i] = random_run(f, i, shared, 10);
            struct put_name name = name_of(runs[i], "all.jsonl", 0);
            OK(store_put_add(p, &name, runs[i], NULL, NULL, 0, &e));
        }
        uint64_t counts[PUT_OUTCOMES] = {0};
        OK(store_put_commit(p, counts, &f->a, NULL, &e));
        store_put_free(p);
        memmove(order + (i - first), order, n * sizeof *order); /* the newest import first, in its own order */
        for (int k = first; k < i; k++)
            order[k - first] = k;
        n += (size_t)(i - first);
    }
    assert_true(number(f, "SELECT count(*) FROM block") > 20);
    for (int round = 0; round < 2; round++) {
        size_t found = 0;
        for (size_t k = 0; k < sizeof asked / sizeof *asked; k++) {
            struct expected want = {0};
            const char *pattern = asked[k].pattern;
            look_everywhere(f, &want, pattern, asked[k].regex ? 0 : REGEX_LITERAL | REGEX_NOCASE, runs, order, n);
            found += want.n;
            struct search_query q = {.pattern = slice_str(pattern), .regex = asked[k].regex, .runs.collection = f->collection,
                                     .count = true, .limit = 1000,
                                     .deadline_us = clock_monotonic_us() + 60000000};
            struct search_hits hits = search(f, q);
            compare_hits(pattern, &want, &hits, 0);
            assert_int_equal(hits.end.total, want.n);
            assert_int_equal(hits.n, want.n < 1000 ? want.n : 1000);
            q.count = false; /* the same, page by page; and in all collections */
            q.runs.collection = round ? SLICE_NONE : f->collection;
            q.limit = 1 + below(60);
            size_t from = 0;
            do {
                hits = search(f, q);
                compare_hits(pattern, &want, &hits, from);
                from += hits.n;
                q.after = hits.end.next;
                if (q.after.ptr && below(5) == 0) { /* counting does not change the page */
                    q.count = true;
                    struct search_hits counted = search(f, q);
                    compare_hits(pattern, &want, &counted, from);
                    assert_int_equal(counted.end.total, want.n);
                    q.count = false;
                }
            } while (q.after.ptr);
            assert_int_equal(from, want.n);
        }
        assert_true(found > 1000);
        if (round == 0) { /* once more without every third run */
            struct run_rows rows = all_runs(f);
            size_t kept = 0;
            for (size_t i = 0; i < n; i++) {
                bool gone = order[i] % 3 == 0;
                for (size_t r = 0; r < rows.n && gone; r++)
                    if (slice_eq(rows.items[r].run.external_id, runs[order[i]]->external_id))
                        OK(store_run_delete(f->store, rows.items[r].run.id, &e));
                if (!gone)
                    order[kept++] = order[i];
            }
            n = kept;
        }
    }
}

/* ---- facets ------------------------------------------------------------------------------------------------------------- */

/* Where the query says what is asked of a field. */
static struct slice *asked_of(struct search_query *q, enum search_field field)
{
    switch (field) {
    case SEARCH_COLLECTION: return &q->runs.collection;
    case SEARCH_ROLE: return &q->role;
    case SEARCH_TOOL: return &q->tool;
    case SEARCH_MODEL: return &q->runs.model;
    case SEARCH_TASK: return &q->runs.task;
    case SEARCH_SUCCESS: return &q->runs.success;
    }
    return NULL;
}

/* Each value has as many hits as the same search with that value instead of what it asked of the field. */
static void compare_facets(struct fixture *f, const struct search_query *q, int64_t *counted)
{
    struct search_facets facets;
    OK(store_search_facets(f->store, q, &f->a, &facets, &e));
    struct search_query all = *q;
    all.count = true;
    all.limit = 1;
    assert_true(facets.complete);
    assert_int_equal(facets.total, search(f, all).end.total);
    for (enum search_field field = 0; field < SEARCH_FIELDS; field++) {
        int64_t sum = 0;
        struct search_query one = all;
        for (size_t i = 0; i < facets.fields[field].n; i++) {
            const struct search_value *v = &facets.fields[field].values[i];
            assert_true(i == 0 || v->hits <= v[-1].hits);
            *asked_of(&one, field) = v->value.ptr ? v->value : S("");
            int64_t hits = search(f, one).end.total;
            if (hits != v->hits)
                fail_msg("%.*s: %s %.*s has %lld hits, not %lld", SLICE_ARG(q->pattern), search_field_name(field), SLICE_ARG(v->value),
                         (long long)v->hits, (long long)hits);
            sum += v->hits;
            ++*counted;
        }
        *asked_of(&one, field) = SLICE_NONE;
        if (field != SEARCH_TOOL && !facets.fields[field].more) /* not every text is of a tool */
            assert_int_equal(sum, search(f, one).end.total);
    }
}

static void facets_count_as_searches_do(void **state)
{
    struct fixture *f = *state;
    static const char *const models[] = {"model-a", "model-b", "big, model"};
    struct collection_row other;
    OK(store_collection_add(f->store, &(struct collection_row){.name = S("other")}, &f->a, &other, &e));
    struct slice shared[4], first = f->collection;
    for (int i = 0; i < 4; i++)
        shared[i] = random_text(f);
    for (int i = 0; i < 60; i++) {
        struct run *run = random_run(f, i, shared, 4);
        run->model = i % 7 ? slice_str(models[i % 3]) : SLICE_NONE;
        run->success = (enum verdict)(i % 3);
        run->agent = i % 2 ? S("left") : S("right");
        run->task_id = i % 5 ? arena_printf(&f->a, "task-%d", i % 4) : SLICE_NONE;
        f->collection = i % 4 ? first : other.id;
        put_run(f, run, arena_printf(&f->a, "%d.jsonl", i).ptr, 0, false, NULL);
    }
    f->collection = first;
    const struct search_query asked_too[] = {
        {.role = SLICE_NONE}, {.role = S("tool")}, {.role = S("user,assistant"), .runs.model = S("model-a,model-b")}, {.tool = S("bash")},
        {.tool = S("edit"), .role = S("tool"), .runs.success = S("true,unknown")}, {.runs.collection = other.id, .runs.task = S("task-1")},
        {.runs.collection = first, .runs.model = S("big, model"), .runs.success = S("false")}, {.runs.agent = S("left"), .runs.model = S("")},
        {.runs.agent = S("nobody")},
    };
    int64_t counted = 0;
    for (size_t i = 0; i < sizeof asked_too / sizeof *asked_too; i++)
        for (int p = 0; p < 3; p++) {
            struct search_query q = asked_too[i];
            q.pattern = p == 0 ? S("error") : p == 1 ? S("[0-9]{4}[a-d]+") : S("filler words");
            q.regex = p == 1;
            compare_facets(f, &q, &counted);
        }
    assert_true(counted > 200);
}

/* A run of many messages, more than are read at once. */
static void a_long_run(void **state)
{
    struct fixture *f = *state;
    struct run *run = simple_run(f, S("long"), S("x"));
    enum { MESSAGES = 10000 };
    run->transcripts->nmessages = MESSAGES;
    run->transcripts->messages = arena_array(&f->a, struct message, MESSAGES);
    for (int i = 0; i < MESSAGES; i++)
        message(&run->transcripts->messages[i], ROLE_USER, i % 3 ? arena_printf(&f->a, "message %d says everyword", i)
                                                                 : S("this is what is said again and again, so that it is stored once: everyword"));
    put_run(f, run, "a.jsonl", 0, false, NULL);
    struct search_query q = {.pattern = S("everyword"), .runs.collection = f->collection, .limit = 700};
    size_t n = 0;
    do {
        struct search_hits hits = search(f, q);
        for (size_t i = 0; i < hits.n; i++)
            assert_int_equal(hits.items[i].message, n++);
        q.after = hits.end.next;
    } while (q.after.ptr);
    assert_int_equal(n, MESSAGES);
    assert_int_equal(words(f, "everyword").end.total, MESSAGES);
    assert_int_equal(words(f, "message 9998 says").end.total, 1);
}

static void a_deadline_is_said_and_gone_on_from(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 300; i++)
        put_run(f, simple_run(f, arena_printf(&f->a, "r%d", i), arena_printf(&f->a, "answer %d with seldom", i)), "a.jsonl", 0,
                false, NULL);
    struct search_query q = {.pattern = S("s[e]ldom"), .regex = true, .runs.collection = f->collection, .limit = 1000};
    size_t n = 0;
    int late = 0;
    do {
        q.deadline_us = clock_monotonic_us() + 300 * (late + 1);
        struct search_hits hits = search(f, q);
        n += hits.n;
        late += hits.incomplete;
        assert_true(!hits.incomplete || (hits.reason.len > 0 && hits.end.next.ptr && hits.end.total == TOTAL_UNKNOWN));
        q.after = hits.end.next;
    } while (q.after.ptr && late < 10000);
    assert_int_equal(n, 300);
    assert_true(late > 0);
}

/* A pattern that does not come to its end on a text is reported, and the other texts are found. */
static void an_endless_pattern_is_said(void **state)
{
    struct fixture *f = *state;
    size_t n = 100000;
    char *text = malloc(n);
    memset(text, 'x', n);
    put_run(f, simple_run(f, S("bad"), slice_of(text, n)), "a.jsonl", 0, false, NULL);
    put_run(f, simple_run(f, S("good"), S("xxxxxz")), "b.jsonl", 0, false, NULL);
    struct search_hits hits = search(f, (struct search_query){.pattern = S("(x+)+[yz]"), .regex = true,
                                                              .runs.collection = f->collection, .count = true});
    assert_int_equal(hits.n, 1);
    assert_true(slice_is(hits.items[0].external_id, "good"));
    assert_true(hits.incomplete);
    assert_true(hits.reason.len > 0);
    assert_null(hits.end.next.ptr);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hits_have_their_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(patterns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(filters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_line_with_most_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(facets_count_as_searches_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_what_a_look_at_everything_finds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deadline_is_said_and_gone_on_from, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_endless_pattern_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
