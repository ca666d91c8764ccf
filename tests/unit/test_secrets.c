/* Secrets: every form is known, replaced and known no more; what only looks like one stays; nothing of a run is left out; no text makes it slow. */
#include "text/secrets.h"

#include "cpu.h"
#include "text/literal.h"
#include "transcript/judgment.h"
#include "transcript/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OK(call)                               \
    do {                                       \
        struct err e = {0};                    \
        if (!(call))                           \
            fail_msg("%s: %s", #call, e.text); \
    } while (0)

static struct arena arena;
static struct secrets *secrets;
static struct redaction redaction;

static int set_up(void **state)
{
    (void)state;
    OK(secrets_compile(NULL, 0, &secrets, &e));
    redaction = (struct redaction){.secrets = secrets, .scratch = regex_scratch_new(), .arena = &arena};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    regex_scratch_free(redaction.scratch);
    secrets_unref(secrets);
    arena_free(&arena);
    return 0;
}

/* An example with its "*N" filled in: N characters, of a kind that a letter behind it may name. *secret: the longest of them. */
static struct slice filled(const char *example, struct slice *secret)
{
    static const char digits[] = "7294618350", hex[] = "7b2e94d1c6f8a053", capitals[] = "7QK2XM9D4RWH8JTB", letters[] = "qKrXmDwHjTbLsVnP", any[] = "q7Kr2Xm9Dw4Hj8Tb";
    static unsigned seed;
    struct str out = STR_INIT(1 << 16);
    size_t longest = 0, begin = 0;
    for (const char *p = example; *p;) {
        if (*p != '*') {
            str_addc(&out, *p++);
            continue;
        }
        char *end;
        size_t n = strtoul(p + 1, &end, 10);
        const char *set = *end == 'd' ? digits : *end == 'x' ? hex : *end == 'A' ? capitals : *end == 'a' ? letters : any;
        size_t size = strlen(set);
        p = set == any ? end : end + 1;
        if (n >= longest)
            longest = n, begin = out.len;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1103515245 + 12345;
            str_addc(&out, i < 4 ? set[i] : set[seed >> 16 & (size - 1 < 15 ? 7 : 15)]);
        }
    }
    struct slice text = arena_dup(&arena, str_slice(&out));
    *secret = slice_sub(text, begin, longest);
    str_free(&out);
    return text;
}

static bool holds(struct slice text, struct slice what) { return slice_find(text, what) >= 0; }

static void each_form(void **state)
{
    (void)state;
    struct regex *pattern;
    struct needs needs;
    needs_of_pattern(&arena, secrets_pattern(&arena), 0, &needs);
    assert_true(needs.n); /* else every rule that asks for secrets looks for them at each byte */
    OK(regex_compile(secrets_pattern(&arena), 0, &pattern, &e));
    for (size_t i = 0; i < secret_form_count; i++) {
        const struct secret_form *f = &secret_forms[i];
        struct slice secret, example = filled(f->example, &secret);
        struct slice text = arena_printf(&arena, "It says: %.*s\nand goes on.", SLICE_ARG(example)), once, mark = arena_printf(&arena, "[redacted:%s]", f->kind);
        struct regex_match m;
        bool found = regex_find(pattern, redaction.scratch, text, 0, 0, &m) == REGEX_YES;
        if (found != f->is_finding)
            fail_msg("%s is %sa finding: %.*s", f->kind, found ? "" : "not ", SLICE_ARG(text));
        OK(redact_text(&redaction, &text, &e));
        if (!holds(text, mark) || holds(text, secret))
            fail_msg("%s: %.*s", f->kind, SLICE_ARG(text));
        assert_true(slice_starts(text, "It says: ") && slice_ends(text, "\nand goes on."));
        found = regex_find(pattern, redaction.scratch, text, 0, 0, &m) == REGEX_YES;
        if (found != f->is_finding)
            fail_msg("the marker of %s is %sa finding", f->kind, found ? "" : "not ");
        once = text;
        OK(redact_text(&redaction, &text, &e));
        if (!slice_eq(once, text))
            fail_msg("%s changes twice: %.*s", f->kind, SLICE_ARG(text));
    }
    regex_free(pattern);
}

static void looks_like_one(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "AKIAIOSFODNN7EXAMPLE", "sk-short", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "postgres://user:password@localhost/db",
        "https://user:pass@example.com/", "The file starts with -----BEGIN PRIVATE KEY----- and then the body.",
        "password = request.form['password']", "api_key=os.environ[\"OPENAI_API_KEY\"]", "password: string;", "token = tokenizer.next_token()",
        "Authorization: Bearer $TOKEN", "Authorization: Bearer YOUR_ACCESS_TOKEN_GOES_HERE_2", "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "self.password_hash = generate_password_hash(password)",
        "max_tokens: 16384, next_token_id=151645", "the task-specific sk-learn-contrib package", "[redacted:openai-key] and password=[redacted:assigned-password]",
        "grep -rn 'BEGIN RSA PRIVATE KEY' /etc"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct slice text = slice_str(texts[i]);
        OK(redact_text(&redaction, &text, &e));
        if (!slice_is(text, texts[i]))
            fail_msg("%s became %.*s", texts[i], SLICE_ARG(text));
    }
}

static void only_the_password(void **state)
{
    (void)state;
    struct slice text = slice_str("psql postgres://shop:k9Lm2qTz@pg.shop.internal/main; export GITHUB_TOKEN=\"ghp_q7Kr2Xm9Dw4Hj8Tbq7Kr2Xm9Dw4Hj8Tbq7Kr\"");
    OK(redact_text(&redaction, &text, &e));
    assert_string_equal(text.ptr, "psql postgres://shop:[redacted:database-password]@pg.shop.internal/main; export GITHUB_TOKEN=\"[redacted:github-token]\"");
}

/* Wherever a URL leads, and whoever logs in: its password decides. */
static void password_of_url(void **state)
{
    (void)state;
#define PASSWORD "Kx9vQ2mTz7Lw"
    static const char *const secret[] = {
        "postgres://shop:" PASSWORD "@db/main", "postgres://shop:" PASSWORD "@db-prod.acme.io", "postgres://shop:" PASSWORD "@db.acme.io",
        "redis://app:" PASSWORD "@redis.prod.acme.io", "mysql://app:" PASSWORD "@mysql-1.acme.io", "postgres://shop:" PASSWORD "@db:5432",
        "postgres://shop:" PASSWORD "@localhost/main", "mongodb+srv://app:" PASSWORD "@example.mongodb.net", "https://deploy:" PASSWORD "@host.acme.io/a.git",
        "redis://:" PASSWORD "@cache.acme.io", "rediss://:" PASSWORD "@cache.acme.io", "postgres://s:" PASSWORD "@pg.acme.io", "https://:" PASSWORD "@git.acme.io",
        "postgresql+psycopg2://shop:" PASSWORD "@pg.acme.io", "mysql+pymysql://shop:" PASSWORD "@127.0.0.1:3306/shop", "postgres://${PGUSER}:" PASSWORD "@$PGHOST/main",
        "postgres://shop:" PASSWORD "@[::1]/main", "postgres://shop:" PASSWORD "@/main", "git+https://me@acme.io:" PASSWORD "@git.acme.io/a",
        "postgres://shop:P@ss" PASSWORD "@db", "postgres://shop:a$b:c" PASSWORD "@db", "postgres://shop:secret" PASSWORD "@db", "postgres://shop:test" PASSWORD "@db"};
    static const char *const none[] = {
        "postgres://shop:password@pg.acme.io", "postgres://shop:secret@db", "postgres://shop:PASSWORD@pg.acme.io", "postgres://shop:<password>@pg.acme.io",
        "postgres://shop:${DB_PASSWORD}@pg.acme.io", "postgres://shop:$DB_PASSWORD@pg.acme.io", "postgres://shop:{password}@pg.acme.io",
        "postgres://shop:%(password)s@pg.acme.io", "postgres://shop:[password]@pg.acme.io", "redis://:xxxxxxxx@cache.acme.io", "redis://:********@cache.acme.io",
        "https://deploy:abcd***wxyz@git.acme.io", "https://deploy:changeme@git.acme.io", "https://deploy:change-me-123@git.acme.io",
        "mysql://root:my-secret-pw@mysql.acme.io", "postgres://shop:YOUR_DB_PASSWORD@pg.acme.io", "amqp://guest:guest@rabbit.acme.io",
        "postgres://postgres:mysecretpassword@pg.acme.io", "http://john.doe:p4ssw0rd@127.0.0.1:8180", "http://acme.io:123,shop:bar@bar.com/path",
        "postgres://shop:[redacted:database-password]@db", "http://localhost:3000?mail=someone@acme.io",
        "http://cache:8080,http://cache:8081 someone@acme.io", "https://acme.io:8443/someone@acme.io", "ssh://git@acme.io:2222/a.git"};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
        struct slice text = slice_str(secret[i]);
        OK(redact_text(&redaction, &text, &e));
        const char *kind = strstr(secret[i], "http") ? ":[redacted:url-password]@" : ":[redacted:database-password]@";
        if (holds(text, slice_str(PASSWORD)) || !holds(text, slice_str(kind)))
            fail_msg("%s became %.*s", secret[i], SLICE_ARG(text));
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct slice text = slice_str(none[i]);
        OK(redact_text(&redaction, &text, &e));
        if (!slice_is(text, none[i]))
            fail_msg("%s became %.*s", none[i], SLICE_ARG(text));
    }
}

static void json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *redacted;
    } cases[] = {
        {"{\"a\":1.50,\"k\":\"AKIAQ3EGTHUPLJ5XMP4B\"}", "{\"a\":1.50,\"k\":\"[redacted:aws-key]\"}"},
        {"{\"k\":\"\\u0041KIAQ3EGTHUPLJ5XMP4B\"}", "{\"k\":\"[redacted:aws-key]\"}"},
        {"[\"redis:\\/\\/app:k9Lm2qTz@cache.internal\"]", "[\"redis://app:[redacted:database-password]@cache.internal\"]"},
        {"{\"AKIAQ3EGTHUPLJ5XMP4B\":{\"x\":[true,null]}}", "{\"[redacted:aws-key]\":{\"x\":[true,null]}}"},
        {"{\"db\":{\"password\":\"k9Lm#2qTzW\"}}", "{\"db\":{\"password\":\"[redacted:assigned-password]\"}}"},
        {"{\"password\":\"\"}", "{\"password\":\"\"}"},
        {"not json AKIAQ3EGTHUPLJ5XMP4B", "not json [redacted:aws-key]"},
        {"\"{\\\"command\\\": \\\"export K=AKIAQ3EGTHUPLJ5XMP4B\\\"}\"", "\"{\\\"command\\\": \\\"export K=[redacted:aws-key]\\\"}\""},
        {"{ \"a\" : \"caf\\u00e9\" }", "{ \"a\" : \"caf\\u00e9\" }"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice text = slice_str(cases[i].text);
        OK(redact_json(&redaction, &text, &e));
        if (!slice_is(text, cases[i].redacted))
            fail_msg("%s became %.*s", cases[i].text, SLICE_ARG(text));
    }
}

static void own_forms(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *pattern, *why;
    } bad[] = {{"Staff Card", "EMP-\\d{6}", "no name of a kind"}, {"card", "EMP-(", "error at byte"}, {"card", "x*", "nothing at all"},
               {"card", "\\[\\w+:card\\]", "a marker"}};
    const struct secret_own badge = {slice_str("card"), slice_str("EMP-\\d{6}")};
    struct secrets *own;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        const struct secret_own one = {slice_str(bad[i].kind), slice_str(bad[i].pattern)};
        assert_false(secrets_compile(&one, 1, &own, &e));
        if (e.code != ERR_FORMAT || !strstr(e.text, bad[i].why))
            fail_msg("%s: %s", bad[i].pattern, e.text);
    }
    OK(secrets_compile(&badge, 1, &own, &e));
    struct redaction r = {.secrets = own, .scratch = redaction.scratch, .arena = &arena};
    struct slice text = slice_str("EMP-123456 and EMP-654321, AKIAQ3EGTHUPLJ5XMP4B");
    OK(redact_text(&r, &text, &e));
    assert_string_equal(text.ptr, "[redacted:card] and [redacted:card], [redacted:aws-key]");
    assert_int_equal(r.replaced, 3);
    secrets_unref(own);
}

/* A pattern of a user's that backtracks without end: the text is refused, not kept as it is. */
static void without_end(void **state)
{
    (void)state;
    const struct secret_own slow = {slice_str("slow"), slice_str("(?:a|aa)+(?:b|a)+(?:a|aa)+$")};
    struct secrets *own;
    OK(secrets_compile(&slow, 1, &own, &e));
    struct redaction r = {.secrets = own, .scratch = redaction.scratch, .arena = &arena};
    char *as = arena_alloc(&arena, 60001);
    memset(as, 'a', 60000);
    as[60000] = '!';
    struct slice text = slice_of(as, 60001);
    struct err e = {0};
    int64_t began = cpu_us();
    assert_false(redact_text(&r, &text, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_true(cpu_us() - began < 15000000);
    secrets_unref(own);
}

/* Texts made of beginnings that never become secrets: time stays in step with their length. */
static void hostile(void **state)
{
    (void)state;
    static const char *const pieces[] = {"AKIA", "ghp_", "github_pat_", "sk-ant-", "-----BEGIN RSA PRIVATE KEY-----", "postgres://a:", "redis://:passpassword", "postgres://a:b@",
                                         "redis://:", "eyJaaaaaaaaaaaa.eyJ", "Bearer a1",
                                         "api_key=a1", "password=a1B", "AccountKey=", "hooks.slack.com/services/T", "https://a:b", "xoxb-1234567890-",
                                         "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn0ygWyF8PbnGy0AHB7MhgwMbRvI0MBZhpF\n", "tskey-aaaa-", "SG.aaaaaaaaaaaaaaaaaaaaaa."};
    enum { BYTES = (1 << 20) / COST }; /* the patience for one text is that of a wall clock */
    char *text = arena_alloc(&arena, BYTES);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t n = strlen(pieces[i]);
        for (size_t k = 0; k < BYTES; k++)
            text[k] = pieces[i][k % n];
        struct secret_spans spans;
        int64_t began = cpu_us();
        OK(secrets_find(&redaction, slice_of(text, BYTES), &spans, &e));
        int64_t took = cpu_us() - began;
        if (took > 1000000)
            fail_msg("%d bytes of %s take %lld us", BYTES, pieces[i], (long long)took);
    }
}

#define KEY "AKIAQ3EGTHUPLJ5XMP4B"
#define MARK "[redacted:aws-key]"

/* Every text of a run holds a secret, then none does. */
static void whole_run(void **state)
{
    (void)state;
    struct run run;
    struct slice tag = slice_str("t " KEY), text = slice_str("x " KEY), object = slice_str("{\"k\":\"" KEY "\"}");
    struct tool_call call = {text, text, object, text, object, {0}};
    struct blob blobs[] = {{.media_type = slice_str("text/plain"), .bytes = text, .url = text, .size = text.len}, {.media_type = slice_str("image/png"), .bytes = text, .size = text.len}};
    struct message message;
    message_init(&message);
    message.text = message.reasoning = message.model = message.timestamp = message.finish_reason = message.tool_call_id = message.tool_name = message.error = text;
    message.metadata = object;
    message.calls = &call;
    message.ncalls = 1;
    message.blobs = blobs;
    message.nblobs = 2;
    struct transcript transcript = {text, text, text, object, &message, 1};
    struct score score = {text, slice_str("\"" KEY "\""), text, text, text, object};
    struct label label = {text, object, text, SLICE_NONE, SLICE_NONE};
    struct evidence evidence = {.message = 0, .part = slice_str("text"), .start = 4, .end = 10, .quote = slice_sub(text, 4, 6)};
    struct finding finding = {.title = text, .message = text, .captures = object, .note = text, .evidence = &evidence, .nevidence = 1};
    struct findings carried = {&finding, 1, 1};
    struct judgment judgment = {.answer = object, .decision = text, .explanation = text, .distribution = object, .raw = text, .error = text};
    struct judgments judged = {&judgment, 1};
    run_init(&run);
    run.external_id = run.name = run.task_id = run.model = run.agent = run.exit_status = run.error = run.limit = text;
    run.source = (struct source){text, text, text, slice_str("native")};
    run.metadata = object;
    run.tags = &tag;
    run.ntags = run.nscores = run.ntranscripts = run.nlabels = 1;
    run.scores = &score;
    run.transcripts = &transcript;
    run.labels = &label;
    run.carried = &carried;
    run.judged = &judged;
    OK(run_redact(&redaction, &run, &e));
    const struct slice all[] = {
        run.external_id, run.name, run.task_id, run.model, run.agent, run.exit_status, run.error, run.limit, run.source.file, run.source.location, run.source.member,
        run.metadata, tag, score.name, score.value, score.answer, score.target, score.explanation, score.metadata, label.set, label.value, label.who,
        transcript.id, transcript.parent, transcript.name, transcript.metadata, message.text, message.reasoning, message.model, message.timestamp,
        message.finish_reason, message.tool_call_id, message.tool_name, message.error, message.metadata, call.call_id, call.name, call.arguments,
        call.parse_error, call.metadata, blobs[0].bytes, blobs[0].url, finding.title, finding.message, finding.captures, finding.note, evidence.quote,
        judgment.answer, judgment.decision, judgment.explanation, judgment.distribution, judgment.raw, judgment.error};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (holds(all[i], slice_str(KEY)) || !holds(all[i], slice_str(MARK)))
            fail_msg("text %zu: %.*s", i, SLICE_ARG(all[i]));
    assert_true(slice_is(message.metadata, "{\"k\":\"" MARK "\"}"));
    unsigned char hash[SHA256_SIZE];
    sha256_of(blobs[0].bytes, hash);
    assert_memory_equal(hash, blobs[0].sha256, SHA256_SIZE);
    assert_int_equal(blobs[0].size, blobs[0].bytes.len);
    assert_true(slice_eq(blobs[1].bytes, text)); /* not text: what would be replaced in it would break it */
    assert_true(quote_stands(&evidence, &run, &message));
    assert_true(slice_is(evidence.quote, MARK)); /* half a key was quoted: no half of it is left */
}

static void evidence_moves(void **state)
{
    (void)state;
    struct run run;
    struct message message;
    struct evidence evidence[] = {{.part = slice_str("text"), .start = 0, .end = 5, .quote = slice_str("first")},
                                  {.part = slice_str("text"), .start = 27, .end = 31, .quote = slice_str("last")}};
    struct finding finding = {.evidence = evidence, .nevidence = 2};
    struct findings carried = {&finding, 1, 1};
    message_init(&message);
    message.text = slice_str("first " KEY " last, last");
    struct transcript transcript = {.messages = &message, .nmessages = 1};
    run_init(&run);
    run.transcripts = &transcript;
    run.ntranscripts = 1;
    run.carried = &carried;
    OK(run_redact(&redaction, &run, &e));
    assert_true(quote_stands(&evidence[0], &run, &message) && quote_stands(&evidence[1], &run, &message));
    assert_int_equal(evidence[1].start, strlen("first " MARK " "));
}

/* Much evidence of one long part is moved in one look at it. */
static void much_evidence(void **state)
{
    (void)state;
    enum { LINES = 20000, PIECES = 2000 };
    static struct evidence evidence[PIECES];
    struct run run;
    struct message message;
    struct str text = STR_INIT(SIZE_MAX), line = STR_INIT(200);
    for (int i = 0; i < LINES; i++) {
        str_reset(&line);
        str_printf(&line, "%06d it is always the same that stands here, over and over %s\n", i, i % 10 ? "" : KEY);
        if (i % (LINES / PIECES) == 0)
            evidence[i / (LINES / PIECES)] = (struct evidence){.part = slice_str("text"), .start = (uint32_t)text.len, .end = (uint32_t)(text.len + line.len - 5)};
        str_add_slice(&text, str_slice(&line));
    }
    message_init(&message);
    message.text = str_slice(&text);
    for (int i = 0; i < PIECES; i++)
        evidence[i].quote = slice_sub(message.text, evidence[i].start, evidence[i].end - evidence[i].start); /* ends in the key */
    struct finding finding = {.evidence = evidence, .nevidence = PIECES};
    struct findings carried = {&finding, 1, 1};
    struct transcript transcript = {.messages = &message, .nmessages = 1};
    run_init(&run);
    run.transcripts = &transcript;
    run.ntranscripts = 1;
    run.carried = &carried;
    int64_t began = cpu_us();
    OK(run_redact(&redaction, &run, &e));
    assert_true(cpu_us() - began < 3000000);
    for (int i = 0; i < PIECES; i++) {
        char number[20];
        snprintf(number, sizeof number, "%06d", i * (LINES / PIECES));
        assert_true(quote_stands(&evidence[i], &run, &message) && slice_starts(evidence[i].quote, number));
        assert_true(slice_eq(slice_sub(evidence[i].quote, evidence[i].quote.len - strlen(MARK), strlen(MARK)), slice_str(MARK)));
    }
    str_free(&text);
    str_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form),   cmocka_unit_test(looks_like_one), cmocka_unit_test(only_the_password), cmocka_unit_test(password_of_url),
        cmocka_unit_test(json),        cmocka_unit_test(own_forms),      cmocka_unit_test(without_end),       cmocka_unit_test(hostile),
        cmocka_unit_test(whole_run),   cmocka_unit_test(evidence_moves), cmocka_unit_test(much_evidence),
    };
    return cmocka_run_group_tests_name("secrets", tests, set_up, tear_down);
}
