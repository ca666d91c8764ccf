#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { BASELINE_BYTES = 256 << 20, FIELD_BYTES = 160 };

static const char head[] = "# Telltale baseline 1: findings that are known. telltale scan --baseline FILE does not fail on them.\n"
                           "# A line: fingerprint, severity, detector, run or task, title, with tabs between. Only the fingerprint counts.\n";

/* ---- names ----------------------------------------------------------------------------------------------------------- */

static struct slice file_base(struct slice path)
{
    size_t at = path.len;
    while (at && path.ptr[at - 1] != '/')
        at--;
    return slice_sub(path, at, path.len);
}

/* A run that the source does not name is called by its place: "line 12", "[3]", "notes.jsonl line 12, value 2". */
static bool is_named_by_place(const struct run *run)
{
    struct slice name = run->external_id, location = run->source.location;
    if (!name.len || !slice_eq(name, location))
        return !name.len;
    ptrdiff_t line = slice_find(name, slice_str("line "));
    return slice_ends(name, "]") || line == 0 || (line > 0 && name.ptr[line - 1] == ' ');
}

void finding_fingerprint(const struct finding_row *row, unsigned char out[HASH_SIZE])
{
    const struct finding *f = &row->finding;
    const struct run *run = &row->run;
    bool unnamed = row->has_run && is_named_by_place(run);
    struct slice task = f->task_id.ptr ? f->task_id : run->task_id;
    struct hash h;
    hash_start(&h);
    hash_add_framed(&h, f->detector);
    hash_add_framed(&h, slice_str(scope_name(f->scope)));
    hash_add_framed(&h, unnamed ? file_base(run->source.file) : run->external_id);
    hash_add_framed(&h, task);
    for (size_t i = 0; i < f->nevidence; i++) {
        hash_add_framed(&h, f->evidence[i].part);
        hash_add_framed(&h, f->evidence[i].quote);
    }
    hash_end(&h, out);
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static bool is_fingerprint(struct slice s)
{
    unsigned char bytes[HASH_SIZE];
    struct slice digits = slice_take(&s, ':');
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return hash_unhex(digits, bytes, HASH_SIZE) && digits.len + 1 + s.len <= FINGERPRINT_TEXT;
}

static bool read_file(const char *path, struct str *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "cannot open the baseline %s", path);
    ssize_t got = 1;
    while (got > 0 && !out->full) {
        char piece[1 << 16];
        got = read(fd, piece, sizeof piece);
        if (got > 0)
            str_add(out, piece, (size_t)got);
    }
    close(fd);
    if (got < 0)
        return err_errno(e, "cannot read the baseline %s", path);
    return !out->full || err_set(e, ERR_USAGE, "%s is over %d MB and no baseline", path, BASELINE_BYTES >> 20);
}

void baseline_add(struct arena *a, struct baseline *b, const struct baseline_line *line)
{
    b->lines = arena_grow(a, b->lines, b->n, &b->cap, sizeof *b->lines);
    b->lines[b->n++] = *line;
    map_put(a, &b->by_fingerprint, line->fingerprint, b->n);
}

static bool parse(const char *path, struct slice rest, struct arena *a, struct baseline *out, struct err *e)
{
    if (!slice_starts(rest, "# Telltale baseline 1"))
        return err_set(e, ERR_USAGE, "%s is no baseline: telltale scan --write-baseline FILE writes one", path);
    for (size_t number = 1; rest.len; number++) {
        struct slice text = slice_trim(slice_take(&rest, '\n'));
        if (!text.len || text.ptr[0] == '#')
            continue;
        struct baseline_line line = {0};
        struct slice *const fields[] = {&line.fingerprint, &line.severity, &line.detector, &line.subject, &line.title};
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            *fields[i] = slice_take(&text, '\t');
        if (!is_fingerprint(line.fingerprint))
            return err_set(e, ERR_USAGE, "%s:%zu: no fingerprint stands at the beginning of the line", path, number);
        baseline_add(a, out, &line);
    }
    return true;
}

bool baseline_read(const char *path, struct arena *a, struct baseline *out, struct err *e)
{
    struct str text = STR_INIT(BASELINE_BYTES);
    *out = (struct baseline){0};
    bool ok = read_file(path, &text, e) && parse(path, arena_dup(a, str_slice(&text)), a, out, e);
    str_free(&text);
    return ok;
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

static int by_words(const void *a, const void *b)
{
    const struct baseline_line *x = a, *y = b;
    int order = slice_cmp(x->detector, y->detector);
    order = order ? order : slice_cmp(x->subject, y->subject);
    order = order ? order : slice_cmp(x->title, y->title);
    return order ? order : slice_cmp(x->fingerprint, y->fingerprint);
}

/* A field of one line: cut, without tabs and line breaks. */
static void add_field(struct str *out, struct slice s)
{
    struct slice shown = slice_cut(s, FIELD_BYTES);
    for (size_t i = 0; i < shown.len; i++)
        str_addc(out, (unsigned char)shown.ptr[i] < 0x20 ? ' ' : shown.ptr[i]);
}

static bool write_all(int fd, struct slice text)
{
    while (text.len) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno != EINTR)
            return false;
        text = slice_sub(text, n > 0 ? (size_t)n : 0, text.len);
    }
    return true;
}

static bool replace_file(const char *path, struct slice text, struct err *e)
{
    struct arena a = {0};
    const char *fresh = arena_printf(&a, "%s.new", path).ptr;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && write_all(fd, text);
    ok = fd >= 0 && close(fd) == 0 && ok;
    ok = ok && rename(fresh, path) == 0;
    if (!ok)
        err_errno(e, "cannot write the baseline %s", path);
    if (!ok && fd >= 0)
        unlink(fresh);
    arena_free(&a);
    return ok;
}

bool baseline_write(const char *path, struct baseline *b, struct err *e)
{
    struct str text = STR_INIT(BASELINE_BYTES);
    if (b->n)
        qsort(b->lines, b->n, sizeof *b->lines, by_words);
    str_addz(&text, head);
    for (size_t i = 0; i < b->n; i++) {
        const struct baseline_line *line = &b->lines[i];
        const struct slice fields[] = {line->fingerprint, line->severity, line->detector, line->subject, line->title};
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
            if (k)
                str_addc(&text, '\t');
            add_field(&text, fields[k]);
        }
        str_addc(&text, '\n');
    }
    bool ok = text.full ? err_set(e, ERR_TOO_LARGE, "the baseline would be over %d MB", BASELINE_BYTES >> 20) : replace_file(path, str_slice(&text), e);
    str_free(&text);
    return ok;
}
