/* From what the user names to runs: folders, compressed files, archives, limits, and a sink that has had enough. */
#include "ingest/archive.h"
#include "ingest/companions.h"

#include "cpu.h"
#include "reading.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define RUN(id) "{\"id\":\"" id "\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/telltale-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command); /* NOLINT(cert-env33-c): a path made here */
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
    FILE *out = fopen(path_of(name), "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(out);
}

struct entry { const char *name, *text; };

enum { ZIP, TAR_GZ, GZ, ZSTD };

static void write_archive(const char *name, int kind, const struct entry *entries)
{
    struct archive *to = archive_write_new();
    if (kind == ZIP)
        archive_write_set_format_zip(to);
    else if (kind == TAR_GZ)
        archive_write_set_format_pax_restricted(to);
    else
        archive_write_set_format_raw(to);
    if (kind == TAR_GZ || kind == GZ)
        archive_write_add_filter_gzip(to);
    if (kind == ZSTD)
        archive_write_add_filter_zstd(to);
    assert_int_equal(archive_write_open_filename(to, path_of(name)), ARCHIVE_OK);
    for (; entries->name; entries++) {
        struct archive_entry *entry = archive_entry_new();
        size_t n = strlen(entries->text);
        archive_entry_set_pathname(entry, entries->name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, (la_int64_t)n);
        assert_int_equal(archive_write_header(to, entry), ARCHIVE_OK);
        assert_int_equal(archive_write_data(to, entries->text, n), n);
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_close(to), ARCHIVE_OK);
    archive_write_free(to);
}

static void read_file(const char *name, const struct source_limits *limits, size_t stop_after, struct read *r)
{
    struct stat st;
    assert_int_equal(stat(path_of(name), &st), 0);
    read_source(path_of(name), name, (uint64_t)st.st_size, NULL, limits, stop_after, r);
}

static bool says(const struct str *list, const char *text) { return list->len && strstr(list->ptr, text); }

/* ---- walking ------------------------------------------------------------------------------------------------------------ */

static void folders_are_walked_in_order(void **state)
{
    (void)state;
    struct arena a = {0};
    struct source_files files = {0};
    struct err e = {0};
    char expected[256], outside[64];
    assert_int_equal(mkdir(path_of("sub"), 0755), 0);
    assert_int_equal(mkdir(path_of(".hidden"), 0755), 0);
    write_file("sub/b.json", "{}", 2);
    write_file("a.json", "[]", 2);
    write_file("z.json", "", 0);
    write_file(".hidden/c.json", "{}", 2);
    write_file(".d.json", "{}", 2);
    snprintf(outside, sizeof outside, "%s", "/etc/passwd");
    assert_int_equal(symlink(outside, path_of("link.json")), 0);
    assert_int_equal(symlink(folder, path_of("loop")), 0);

    assert_true(source_walk(&a, folder, &files, &e));
    assert_int_equal(files.n, 3);
    static const char *const names[] = {"a.json", "sub/b.json", "z.json"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(expected, sizeof expected, "%s/%s", folder, names[i]);
        assert_true(slice_is(files.items[i].name, expected));
        assert_string_equal(files.items[i].path, expected);
    }
    assert_int_equal(files.items[0].size, 2);

    /* A folder given with a slash at its end, and a file by itself, keep the name that was given. */
    files = (struct source_files){0};
    snprintf(expected, sizeof expected, "%s/", folder);
    assert_true(source_walk(&a, expected, &files, &e));
    snprintf(expected, sizeof expected, "%s/a.json", folder);
    assert_true(slice_is(files.items[0].name, expected));
    assert_true(source_walk(&a, path_of("link.json"), &files, &e)); /* named, so meant */
    assert_int_equal(files.n, 4);

    assert_false(source_walk(&a, path_of("no such file"), &files, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_false(source_walk(&a, "/dev/null", &files, &e));
    assert_int_equal(e.code, ERR_USAGE);
    arena_free(&a);
}

/* What cannot be looked at is named, and the rest is there: a folder that is not ours, and a path that is too long. */
static void what_cannot_be_walked_is_named(void **state)
{
    (void)state;
    struct arena a = {0};
    struct source_files files = {0};
    struct err e = {0};
    char name[201], before[1024];
    bool root = geteuid() == 0;
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(mkdir(path_of("closed"), 0), 0);
    write_file("a.json", "[]", 2);
    write_file("z.json", "[]", 2);
    memset(name, 'n', 200);
    name[200] = 0;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    for (int i = 0; i < 21; i++) {
        assert_int_equal(mkdir(name, 0755), 0);
        assert_int_equal(chdir(name), 0);
    }
    assert_int_equal(chdir(before), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    bool ok = source_walk(&a, folder, &files, &e);
    assert_false(source_walk(&a, path_of("closed"), &files, &e));
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_true(ok);
    assert_int_equal(files.n, 2);
    assert_int_equal(files.nerrors, 2);
    assert_true(slice_is(files.errors[0].name, path_of("closed")));
    assert_int_not_equal(files.errors[0].code, ERR_NONE);
    assert_true(files.errors[0].message.len > 0);
    assert_true(files.errors[1].name.len > 4000);
    assert_int_equal(chmod(path_of("closed"), 0755), 0);
    arena_free(&a);
}

/* ---- compressed files and archives -------------------------------------------------------------------------------------- */

static void compressed_files_are_read_as_what_is_in_them(void **state)
{
    (void)state;
    static const struct { const char *name; int kind; } rows[] = {{"a.jsonl.gz", GZ}, {"a.jsonl.zst", ZSTD}};
    for (size_t i = 0; i < 2; i++) {
        struct read r;
        write_archive(rows[i].name, rows[i].kind, (struct entry[]){{"data", RUN("one") "\n" RUN("two") "\n"}, {NULL, NULL}});
        read_file(rows[i].name, NULL, 0, &r);
        assert_int_equal(r.report.outcome, SOURCE_READ);
        assert_int_equal(r.heard.nruns, 2);
        assert_string_equal(r.report.format->name, "openai-chat");
        assert_true(says(&r.heard.runs, "\"location\":\"line 2\""));
        assert_true(says(&r.heard.runs, rows[i].name));
        read_free(&r);
    }
    /* gzip around zstd around one document, which is then called as the file is */
    struct read r;
    write_archive("inner.zst", ZSTD, (struct entry[]){{"data", "[{\"role\":\"user\",\"content\":\"x\"}]"}, {NULL, NULL}});
    FILE *in = fopen(path_of("inner.zst"), "rb");
    char bytes[1000];
    size_t n = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    struct archive *to = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    archive_write_set_format_raw(to);
    archive_write_add_filter_gzip(to);
    archive_write_open_filename(to, path_of("outer.gz"));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_write_header(to, entry);
    archive_write_data(to, bytes, n);
    archive_entry_free(entry);
    archive_write_close(to);
    archive_write_free(to);
    read_file("outer.gz", NULL, 0, &r);
    assert_int_equal(r.heard.nruns, 1);
    assert_true(says(&r.heard.runs, "\"external_id\":\"outer.gz\""));
    read_free(&r);

    /* cut short: what was before it is read, and it failed */
    struct stat st;
    struct str lines = STR_INIT(1 << 22);
    uint32_t noise = 1;
    for (int i = 0; i < 4000; i++) {
        noise = noise * 1664525u + 1013904223u;
        str_printf(&lines, "{\"id\":\"%08x%d\",\"messages\":[{\"role\":\"user\",\"content\":\"%08x\"}]}\n", noise, i, noise * 7u);
    }
    write_archive("cut.gz", GZ, (struct entry[]){{"data", lines.ptr}, {NULL, NULL}});
    str_free(&lines);
    assert_int_equal(stat(path_of("cut.gz"), &st), 0);
    assert_int_equal(truncate(path_of("cut.gz"), st.st_size / 2), 0);
    read_file("cut.gz", NULL, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_FAILED);
    assert_int_equal(r.err.code, ERR_FORMAT);
    assert_true(r.heard.nruns > 100 && r.heard.nruns < 4000);
    read_free(&r);
}

static const struct entry mixed[] = {
    {"logs/a.jsonl", RUN("a1") "\n" RUN("a2") "\n"},
    {"logs/one.json", "[{\"role\":\"user\",\"content\":\"x\"}]"},
    {"readme.md", "# Hello\n"},
    {"config.json", "{\"k\":1}"},
    {"broken.json", "{\"k\": [1,\n"},
    {"deep/inner.zip", "PK\3\4 no zip at all"},
    {".hidden.jsonl", RUN("h") "\n"},
    {"__MACOSX/._a.jsonl", RUN("m") "\n"},
    {"empty.jsonl", ""},
    {"bad.jsonl", RUN("b1") "\n{oops}\n" RUN("b3") "\n"},
    {NULL, NULL},
};

static void an_archive_is_a_folder_of_files(void **state)
{
    (void)state;
    static const struct { const char *name; int kind; } rows[] = {{"all.zip", ZIP}, {"all.tar.gz", TAR_GZ}};
    for (size_t i = 0; i < 2; i++) {
        struct read r;
        write_archive(rows[i].name, rows[i].kind, mixed);
        read_file(rows[i].name, NULL, 0, &r);
        assert_int_equal(r.report.outcome, SOURCE_READ);
        assert_int_equal(r.heard.nruns, 5);
        assert_null(r.report.format);
        assert_true(says(&r.heard.runs, "\"location\":\"logs/a.jsonl line 2\""));
        assert_true(says(&r.heard.runs, "\"location\":\"logs/one.json\""));
        assert_true(says(&r.heard.runs, "\"external_id\":\"one.json\""));
        assert_true(says(&r.heard.runs, rows[i].name));
        assert_int_equal(r.heard.nrefused, 3);
        assert_true(says(&r.heard.refused, "\"location\":\"broken.json\",\"code\":\"bad_format\""));
        assert_true(says(&r.heard.refused, "\"location\":\"deep/inner.zip\""));
        assert_true(says(&r.heard.refused, "\"location\":\"bad.jsonl line 2\""));
        read_free(&r);
    }
}

static void an_archive_without_transcripts(void **state)
{
    (void)state;
    struct read r;
    write_archive("none.zip", ZIP, (struct entry[]){{"readme.md", "# Hello\n"}, {"c.json", "{}"}, {NULL, NULL}});
    read_file("none.zip", NULL, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_SKIPPED);
    assert_int_equal(r.err.code, ERR_NOT_TRANSCRIPT);
    assert_non_null(strstr(r.err.text, "readme.md"));
    read_free(&r);

    write_archive("nothing.zip", ZIP, (struct entry[]){{NULL, NULL}});
    read_file("nothing.zip", NULL, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_SKIPPED);
    read_free(&r);

    write_file("garbage.zip", "PK\3\4garbage garbage garbage", 27);
    read_file("garbage.zip", NULL, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_FAILED);
    assert_int_equal(r.err.code, ERR_FORMAT);
    read_free(&r);
}

#define SAMPLE(id) "{\"id\":" id ",\"epoch\":1,\"input\":\"q\",\"target\":\"t\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"scores\":{\"m\":{\"value\":\"C\"}}}"

static void a_log_is_one_file_whose_header_may_come_last(void **state)
{
    (void)state;
    static const struct entry log[] = {
        {"_journal/start.json", "{\"version\":2,\"eval\":{\"task\":\"t\",\"model\":\"started\"},\"plan\":{}}"},
        {"samples/1_epoch_1.json", SAMPLE("1")},
        {"samples/../../evil_epoch_1.json", SAMPLE("\"evil\"")},
        {"samples/2_epoch_1.json", SAMPLE("2")},
        {"summaries.json", "[]"},
        {"header.json", "{\"version\":2,\"status\":\"success\",\"eval\":{\"task\":\"t\",\"model\":\"ended\"},\"plan\":{}}"},
        {NULL, NULL},
    };
    struct read r;
    struct stat st;
    write_archive("log.eval", ZIP, log);
    read_file("log.eval", NULL, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_READ);
    assert_string_equal(r.report.format->name, "inspect");
    assert_int_equal(r.heard.nruns, 3);
    assert_int_equal(r.heard.nrefused, 0);
    assert_true(says(&r.heard.runs, "\"model\":\"ended\"") && !says(&r.heard.runs, "\"model\":\"started\",\"agent\""));
    assert_true(says(&r.heard.runs, "\"location\":\"samples/2_epoch_1.json\""));
    read_free(&r);

    /* Without its directory, which stands at the end, the samples before the cut are read. */
    assert_int_equal(stat(path_of("log.eval"), &st), 0);
    assert_int_equal(truncate(path_of("log.eval"), st.st_size * 45 / 100), 0);
    read_file("log.eval", NULL, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_FAILED);
    assert_true(r.heard.nruns >= 1 && r.heard.nruns <= 3);
    assert_true(says(&r.heard.runs, "\"model\":\"started\""));
    if (!strstr(r.err.text, "after samples/"))
        fail_msg("%s", r.err.text);
    read_free(&r);

    /* A folder of samples that no log has, and a zip that only has a header.json of its own kind */
    write_archive("other.zip", ZIP, (struct entry[]){{"header.json", "{\"title\":1}"}, {"samples/x.json", "[{\"role\":\"user\",\"content\":\"x\"}]"}, {NULL, NULL}});
    read_file("other.zip", NULL, 0, &r);
    assert_int_equal(r.heard.nruns, 1);
    read_free(&r);
}

/* A log that was compressed as a whole is the log that it is without that. */
static void a_log_inside_gzip_is_a_log(void **state)
{
    (void)state;
    struct read r;
    char command[600];
    write_archive("packed.eval", ZIP, (struct entry[]){
        {"_journal/start.json", "{\"version\":2,\"eval\":{\"task\":\"t\",\"model\":\"m\"},\"plan\":{}}"},
        {"samples/1_epoch_1.json", SAMPLE("1")},
        {"samples/2_epoch_1.json", SAMPLE("2")},
        {NULL, NULL}});
    snprintf(command, sizeof command, "gzip -c %s/packed.eval >%s/packed.eval.gz", folder, folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a path made here */
    read_file("packed.eval.gz", NULL, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_READ);
    assert_int_equal(r.heard.nruns, 2);
    assert_string_equal(r.report.format->name, "inspect");
    assert_true(says(&r.heard.runs, "\"model\":\"m\""));
    read_free(&r);
}

static void a_damaged_header_makes_no_log(void **state)
{
    (void)state;
    struct read r;
    write_archive("own.zip", ZIP, (struct entry[]){{"run.json", "[{\"role\":\"user\",\"content\":\"x\"}]"}, {"header.json", "{\"title\": [1,\n"}, {NULL, NULL}});
    read_file("own.zip", NULL, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_READ);
    assert_int_equal(r.heard.nruns, 1);
    assert_int_equal(r.heard.nrefused, 1);
    assert_true(says(&r.heard.refused, "\"location\":\"header.json\""));
    read_free(&r);

    /* in a log it is named, and the samples are read */
    write_archive("hurt.eval", ZIP, (struct entry[]){{"samples/1_epoch_1.json", SAMPLE("1")}, {"header.json", "{\"version\": [1,\n"}, {NULL, NULL}});
    read_file("hurt.eval", NULL, 0, &r);
    assert_int_equal(r.heard.nruns, 1);
    assert_int_equal(r.heard.nrefused, 1);
    assert_true(says(&r.heard.refused, "\"location\":\"header.json\""));
    read_free(&r);
}

/* ---- limits ------------------------------------------------------------------------------------------------------------- */

static void limits_hold(void **state)
{
    (void)state;
    struct source_limits limits = source_limits_default;
    struct str text = STR_INIT(1 << 23);
    struct read r;
    for (int i = 0; i < 4000; i++)
        str_addz(&text, RUN("the same") "\n");

    write_archive("large.gz", GZ, (struct entry[]){{"data", text.ptr}, {NULL, NULL}});
    limits.unpacked_bytes = 100000;
    read_file("large.gz", &limits, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_FAILED);
    assert_int_equal(r.err.code, ERR_TOO_LARGE);
    assert_true(r.report.bytes < 700000);
    read_free(&r);

    /* also for what is not read: a member that is skipped is unpacked all the same */
    str_reset(&text);
    str_addz(&text, "no transcript\n");
    for (int i = 0; i < 200000; i++)
        str_addz(&text, "and so on\n");
    write_archive("large.tar.gz", TAR_GZ, (struct entry[]){{"a.txt", text.ptr}, {"b.jsonl", RUN("b") "\n"}, {NULL, NULL}});
    read_file("large.tar.gz", &limits, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_FAILED);
    assert_int_equal(r.err.code, ERR_TOO_LARGE);
    read_free(&r);

    limits = source_limits_default;
    limits.members = 2;
    write_archive("many.zip", ZIP, mixed);
    read_file("many.zip", &limits, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_FAILED);
    assert_int_equal(r.err.code, ERR_TOO_LARGE);
    read_free(&r);

    /* one value over its limit is refused, the others land */
    limits = source_limits_default;
    limits.value_bytes = 1000;
    str_reset(&text);
    str_printf(&text, "%s\n{\"id\":\"long\",\"messages\":[{\"role\":\"user\",\"content\":\"%0900000d\"}]}\n%s\n", RUN("one"), 1, RUN("three"));
    write_file("values.jsonl", text.ptr, text.len);
    read_file("values.jsonl", &limits, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_READ);
    assert_int_equal(r.heard.nruns, 2);
    assert_int_equal(r.heard.nrefused, 1);
    assert_true(says(&r.heard.refused, "\"location\":\"line 2\",\"code\":\"too_large\""));
    read_free(&r);
    str_free(&text);
}

/* A tar's next entry, with a body of so many zeros. */
static void add_entry(struct str *tar, const char *name, char type, const char *body, size_t size)
{
    char *header = str_reserve(tar, 512);
    unsigned sum = 0;
    memset(header, 0, 512);
    snprintf(header, 100, "%s", name);
    snprintf(header + 100, 8, "%07o", 0644);
    snprintf(header + 124, 12, "%011zo", size);
    memset(header + 148, ' ', 8);
    header[156] = type;
    if (type == '1')
        snprintf(header + 157, 100, "another");
    memcpy(header + 257, "ustar\00000", 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    tar->len += 512;
    size_t room = (size + 511) / 512 * 512;
    char *bytes = str_reserve(tar, room);
    memset(bytes, 0, room);
    if (body)
        memcpy(bytes, body, size);
    tar->len += room;
}

/* A hard link may have a body in a tar, of which nobody asks: it counts as much as one that is read. */
static void a_body_of_a_link_counts(void **state)
{
    (void)state;
    enum { BODY = 1 << 20 };
    static const char extended[] = "12 uname=me\n", run[] = RUN("after") "\n";
    struct source_limits limits = source_limits_default;
    struct str tar = STR_INIT(1 << 22);
    struct read r;
    add_entry(&tar, "about", 'x', extended, sizeof extended - 1); /* only a link of this kind of tar may have one */
    add_entry(&tar, "link", '1', NULL, BODY);
    add_entry(&tar, "after.jsonl", '0', run, sizeof run - 1);
    add_entry(&tar, "", '\0', NULL, 512);
    write_file("links.tar", tar.ptr, tar.len);
    str_free(&tar);

    read_file("links.tar", &limits, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_READ);
    assert_int_equal(r.heard.nruns, 1);
    read_free(&r);

    limits.unpacked_bytes = BODY / 2;
    read_file("links.tar", &limits, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_FAILED);
    assert_int_equal(r.err.code, ERR_TOO_LARGE);
    read_free(&r);
}

/* Lines that make one run are held together; lines that make many are not. */
static void a_run_has_a_limit_too(void **state)
{
    (void)state;
    struct source_limits limits = source_limits_default;
    struct str text = STR_INIT(1 << 23);
    struct read r;
    limits.value_bytes = 100000;
    for (int i = 0; i < 2000; i++)
        str_addz(&text, "{\"role\":\"user\",\"content\":\"and one more\"}\n");
    write_file("long.jsonl", text.ptr, text.len);
    read_file("long.jsonl", &limits, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_FAILED);
    assert_int_equal(r.err.code, ERR_TOO_LARGE);
    assert_int_equal(r.heard.nruns, 1);
    assert_true(r.heard.messages > 10 && r.heard.messages < 2000);
    read_free(&r);

    str_reset(&text);
    for (int i = 0; i < 2000; i++)
        str_addz(&text, RUN("one of many") "\n");
    write_file("runs.jsonl", text.ptr, text.len);
    read_file("runs.jsonl", &limits, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_READ);
    assert_int_equal(r.heard.nruns, 2000);
    read_free(&r);

    /* spans wait on disk */
    str_reset(&text);
    for (int i = 0; i < 1000; i++)
        str_printf(&text, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0a\",\"spanId\":\"%04x\",\"name\":\"chat\",\"attributes\":"
                          "[{\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"chat\"}}]}]}]}]}\n", i + 1);
    write_file("spans.jsonl", text.ptr, text.len);
    read_file("spans.jsonl", &limits, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_READ);
    assert_int_equal(r.heard.nruns, 1);
    read_free(&r);
    str_free(&text);
}

/* ---- files that belong together ----------------------------------------------------------------------------------------- */

/* A session of opencode with so many messages, all of the id or each of its own, and a part of 100 kB for each id. */
static void read_session(size_t messages, bool same_id, struct read *r)
{
    struct arena a = {0};
    struct source_limits limits = source_limits_default;
    struct entry *entries = arena_array(&a, struct entry, 2 * messages + 2), *next = entries;
    *next++ = (struct entry){"session/p/s.json", "{\"id\":\"s\",\"title\":\"t\",\"version\":\"1\",\"time\":{\"created\":1,\"updated\":2}}"};
    for (size_t i = 0; i < messages; i++) {
        size_t id = same_id ? 0 : i;
        *next++ = (struct entry){arena_printf(&a, "message/s/%zu.json", i).ptr, arena_printf(&a, "{\"id\":\"m%zu\",\"role\":\"user\"}", id).ptr};
        if (!same_id || !i)
            *next++ = (struct entry){arena_printf(&a, "part/m%zu/p.json", id).ptr,
                                     arena_printf(&a, "{\"id\":\"p\",\"type\":\"text\",\"text\":\"word%0100000d\"}", 0).ptr};
    }
    write_archive("session.zip", ZIP, entries);
    arena_free(&a);
    limits.value_bytes = 1 << 20;
    read_file("session.zip", &limits, 0, r);
    assert_int_equal(r->report.outcome, SOURCE_READ);
    assert_int_equal(r->heard.nruns, 1);
    assert_int_equal(r->heard.messages, messages);
}

static size_t times(const struct str *list, const char *text)
{
    size_t n = 0;
    for (const char *at = list->ptr; at && (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

/* What stands beside a file is loaded once, and counts as the run's memory. */
static void files_beside_have_a_limit_too(void **state)
{
    (void)state;
    struct read r;
    read_session(50, true, &r);
    assert_int_equal(times(&r.heard.runs, "word"), 1);
    assert_int_equal(r.heard.nrefused, 0);
    read_free(&r);

    read_session(50, false, &r);
    assert_true(times(&r.heard.runs, "word") >= 5);
    assert_int_equal(times(&r.heard.runs, "word") + r.heard.nrefused, 50);
    assert_true(says(&r.heard.refused, "\"code\":\"too_large\",\"message\":\"with part/m49/p.json its run would take more than 2097152 bytes of memory\""));
    read_free(&r);

    /* two records that ask for the same files */
#define EVENT "{\"id\":0,\"source\":\"user\",\"action\":\"message\",\"args\":{\"content\":\"word\"}}\n"
#define STATE "{\"conversation_id\":\"c\",\"title\":\"t\"}\n"
    write_archive("states.zip", ZIP, (struct entry[]){{"metadata.json", EVENT EVENT EVENT EVENT STATE STATE}, {"events/0.json", EVENT}, {NULL, NULL}});
    read_file("states.zip", NULL, 0, &r);
    assert_int_equal(r.heard.nruns, 2);
    assert_int_equal(r.heard.messages, 5);
    assert_int_equal(r.heard.nrefused, 1);
    read_free(&r);
}

/* Sub-agents of all sessions in one folder: looking for them takes time in proportion to the files. */
static void files_beside_are_found_in_linear_time(void **state)
{
    (void)state;
    enum { SESSIONS = 10000 };
    const struct format *claude = format_find(slice_str("claude-code"));
    struct arena a = {0}, scratch = {0};
    struct source_files files = {.items = arena_array(&a, struct source_file, 3 * SESSIONS), .n = 3 * SESSIONS};
    for (size_t i = 0; i < SESSIONS; i++) {
        files.items[3 * i].name = arena_printf(&a, "p/%05zu.jsonl", i);
        files.items[3 * i + 1].name = arena_printf(&a, "p/agent-%05zu.jsonl", i);
        files.items[3 * i + 2].name = arena_printf(&a, "p/%05zu/subagents/agent-x.jsonl", i);
    }
    int64_t began = cpu_us();
    companions_mark(&a, &files);
    for (size_t i = 0; i < SESSIONS; i++, arena_reset(&scratch)) {
        const struct companions *beside = companions_of(&scratch, &files, &files.items[3 * i], claude, &source_limits_default);
        assert_true(beside && beside->n == 1 && beside->shared && beside->shared->n == SESSIONS);
        assert_true(slice_ends(beside->paths[0], "/subagents/agent-x.jsonl"));
        assert_int_equal(companions_from(beside->shared, slice_sub(files.items[3 * i + 1].name, 2, SIZE_MAX)), i);
        files.items[3 * i].unchanged = files.items[3 * i + 1].unchanged = files.items[3 * i + 2].unchanged = true;
    }
    for (size_t i = 0; i < SESSIONS; i++)
        assert_false(companions_changed(&files, &files.items[3 * i]));
    int64_t took = cpu_us() - began;
    if (took > 1500000)
        fail_msg("took %lld ms", (long long)took / 1000);
    arena_free(&a);
    arena_free(&scratch);
}

/* 70 MB of zeros in 70 kB. */
static void a_bomb_is_refused(void **state)
{
    (void)state;
    struct read r;
    struct str text = STR_INIT(1 << 27);
    str_addz(&text, "{\"id\":1,\"epoch\":1,\"input\":\"");
    memset(str_reserve(&text, 70000000), 'x', 70000000);
    text.len += 70000000;
    str_addz(&text, "\"}");
    write_archive("bomb.eval", ZIP, (struct entry[]){{"header.json", "{\"version\":2,\"eval\":{}}"}, {"samples/1_epoch_1.json", text.ptr}, {NULL, NULL}});
    str_free(&text);
    read_file("bomb.eval", NULL, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_FAILED);
    assert_int_equal(r.err.code, ERR_TOO_LARGE);
    assert_int_equal(r.heard.nruns, 0);
    read_free(&r);
}

/* ---- the sink ----------------------------------------------------------------------------------------------------------- */

static void the_sink_stops_the_reading(void **state)
{
    (void)state;
    static const char *const names[] = {"stop.jsonl", "stop.zip", "stop.eval", "stop.json"};
    struct read r;
    write_file("stop.jsonl", RUN("a") "\n" RUN("b") "\n" RUN("c") "\n", 3 * strlen(RUN("a") "\n"));
    write_archive("stop.zip", ZIP, mixed);
    write_archive("stop.eval", ZIP, (struct entry[]){{"samples/1_epoch_1.json", SAMPLE("1")}, {"samples/2_epoch_1.json", SAMPLE("2")}, {"samples/3_epoch_1.json", SAMPLE("3")}, {NULL, NULL}});
    static const char document[] = "{\"version\":2,\"eval\":{},\"samples\":[" SAMPLE("1") "," SAMPLE("2") "," SAMPLE("3") "]}";
    write_file("stop.json", document, sizeof document - 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        read_file(names[i], NULL, 2, &r);
        assert_false(r.ok);
        assert_int_equal(r.err.code, ERR_CANCELLED);
        assert_int_equal(r.heard.nruns, 2);
        read_free(&r);
    }
}

static void reading_can_be_cancelled(void **state)
{
    (void)state;
    static const char *const names[] = {"stop.jsonl", "stop.jsonl.gz", "stop.zip", "stop.eval"};
    atomic_bool cancel = true;
    struct source_limits limits = source_limits_default;
    struct read r;
    limits.cancel = &cancel;
    write_file("stop.jsonl", RUN("a") "\n" RUN("b") "\n", 2 * strlen(RUN("a") "\n"));
    write_archive("stop.jsonl.gz", GZ, (struct entry[]){{"data", RUN("a") "\n"}, {NULL, NULL}});
    write_archive("stop.zip", ZIP, mixed);
    write_archive("stop.eval", ZIP, (struct entry[]){{"samples/1_epoch_1.json", SAMPLE("1")}, {NULL, NULL}});
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        read_file(names[i], &limits, 0, &r);
        assert_false(r.ok);
        assert_int_equal(r.err.code, ERR_CANCELLED);
        assert_int_equal(r.heard.nruns, 0);
        read_free(&r);
    }
}

/* A NUL in a key is kept where the key gets another name, and in the path of what was repaired; an unknown word is refused. */
static void odd_records_of_the_native_format(void **state)
{
    (void)state;
    struct read r;
    static const char text[] =
        "{\"transcripts\":[{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}],\"a\\u0000b\":1,\"a\\u0000b\":2,\"c\\u0000d\":\"\xff\"}\n"
        "{\"transcripts\":[{\"messages\":[{\"role\":\"user\",\"content\":\"y\"}]}],\"findings\":[{\"kind\":\"none such\"}]}\n";
    write_file("odd.jsonl", text, sizeof text - 1);
    read_file("odd.jsonl", NULL, 0, &r);
    assert_int_equal(r.heard.nruns, 2);
    assert_true(says(&r.heard.runs, "a\\u0000b (overwritten)"));
    assert_true(says(&r.heard.runs, "c\\u0000d\":\"\\\"\\\\xff"));
    assert_int_equal(r.heard.nrefused, 1);
    assert_true(says(&r.heard.refused, "\"location\":\"line 2 findings[0]\""));
    read_free(&r);
}

static void a_format_may_be_asked_for(void **state)
{
    (void)state;
    struct read r;
    write_file("asked.jsonl", RUN("a") "\n", strlen(RUN("a") "\n"));
    struct stat st;
    assert_int_equal(stat(path_of("asked.jsonl"), &st), 0);
    read_source(path_of("asked.jsonl"), "asked.jsonl", (uint64_t)st.st_size, format_find(slice_str("tau-bench")), NULL, 0, &r);
    assert_int_equal(r.report.outcome, SOURCE_READ);
    assert_int_equal(r.heard.nruns, 0);
    assert_int_equal(r.heard.nrefused, 1);
    read_free(&r);
}

static void what_bytes_look_like(void **state)
{
    (void)state;
    assert_true(magic_find(slice_str("PK\3\4rest"))->packed);
    assert_true(magic_find(slice_of("\x1f\x8b\x08", 3))->packed);
    assert_false(magic_find(slice_of("SQLite format 3\0", 16))->packed);
    assert_string_equal(magic_find(slice_str("%PDF-1.7"))->name, "a PDF document");
    assert_null(magic_find(slice_str("{\"a\":1}")));
    assert_null(magic_find(slice_str("")));
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(folders_are_walked_in_order),
        IN_FOLDER(what_cannot_be_walked_is_named),
        IN_FOLDER(compressed_files_are_read_as_what_is_in_them),
        IN_FOLDER(an_archive_is_a_folder_of_files),
        IN_FOLDER(an_archive_without_transcripts),
        IN_FOLDER(a_log_is_one_file_whose_header_may_come_last),
        IN_FOLDER(a_log_inside_gzip_is_a_log),
        IN_FOLDER(a_damaged_header_makes_no_log),
        IN_FOLDER(limits_hold),
        IN_FOLDER(a_body_of_a_link_counts),
        IN_FOLDER(a_run_has_a_limit_too),
        IN_FOLDER(files_beside_have_a_limit_too),
        cmocka_unit_test(files_beside_are_found_in_linear_time),
        IN_FOLDER(a_bomb_is_refused),
        IN_FOLDER(the_sink_stops_the_reading),
        IN_FOLDER(reading_can_be_cancelled),
        IN_FOLDER(odd_records_of_the_native_format),
        IN_FOLDER(a_format_may_be_asked_for),
        cmocka_unit_test(what_bytes_look_like),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
