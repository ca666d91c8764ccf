#include "docs/docs.h"

#include "base/embed.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>

enum { PAGE_MAX = 16 << 20, PAGES_MAX = 40, WORDS_MAX = 10 };

const struct docs_page docs_pages[] = {
    {"start", "First steps"},
    {"formats", "First steps"},
    {"commands", "First steps"},
    {"catalogue", "Detectors and judges"},
    {"rules", "Detectors and judges"},
    {"judges", "Detectors and judges"},
    {"rest", "For programs"},
    {"sql", "For programs"},
    {"mcp", "For programs"},
    {"webhooks", "For programs"},
    {"operations", "Running a server"},
    {"settings", "Running a server"},
    {"network", "Running a server"},
    {"deploy", "Running a server"},
    {"access", "Running a server"},
    {"security", "Running a server"},
    {0},
};

static struct slice filled[PAGES_MAX];
static pthread_once_t filling = PTHREAD_ONCE_INIT;

static void add_part(struct str *out, struct slice name)
{
    for (const struct docs_part *part = docs_parts; part->name; part++)
        if (slice_is(name, part->name)) {
            part->write(out);
            return;
        }
    str_printf(out, "(there is no part %.*s)\n", SLICE_ARG(name)); /* a test looks for this */
}

static void fill_page(struct slice text, struct str *out)
{
    while (text.len) {
        struct slice line = slice_take(&text, '\n');
        if (slice_starts(line, "<!-- generated: ") && slice_ends(line, " -->")) {
            size_t before = strlen("<!-- generated: "), after = strlen(" -->");
            add_part(out, slice_sub(line, before, line.len - before - after));
        } else {
            str_printf(out, "%.*s\n", SLICE_ARG(line));
        }
    }
}

static void fill_all(void)
{
    for (size_t i = 0; docs_pages[i].name && i < PAGES_MAX; i++) {
        char name[80];
        snprintf(name, sizeof name, "docs/%s.md", docs_pages[i].name);
        const struct embedded *file = embedded_find(name);
        struct str out = STR_INIT(PAGE_MAX);
        if (file)
            fill_page(file->bytes, &out);
        filled[i] = str_slice(&out); /* kept to the program's end */
    }
}

bool docs_text(struct slice name, struct slice *text, struct err *e)
{
    pthread_once(&filling, fill_all);
    for (size_t i = 0; docs_pages[i].name; i++)
        if (slice_is(name, docs_pages[i].name)) {
            *text = filled[i];
            return true;
        }
    return err_set(e, ERR_NOT_FOUND, "there is no page '%.*s' in the documentation; `telltale docs` lists them", SLICE_ARG(slice_cut(name, 100)));
}

/* The number of # in front of a heading's words, which `line` becomes; 0: it is none. */
static size_t take_heading(struct slice *line)
{
    size_t n = 0;
    while (n < line->len && line->ptr[n] == '#')
        n++;
    if (!n || n > 6 || n == line->len || line->ptr[n] != ' ')
        return 0;
    *line = slice_trim(slice_sub(*line, n, line->len));
    return n;
}

struct slice docs_title(struct slice text)
{
    struct slice line = slice_take(&text, '\n');
    take_heading(&line);
    return line;
}

struct slice docs_summary(struct slice text, struct arena *a)
{
    struct str out = STR_INIT(4000);
    slice_take(&text, '\n');
    while (text.len) {
        struct slice line = slice_trim(slice_take(&text, '\n'));
        if (!line.len && out.len)
            break;
        if (line.len)
            str_printf(&out, "%s%.*s", out.len ? " " : "", SLICE_ARG(line));
    }
    struct slice kept = arena_dup(a, str_slice(&out));
    str_free(&out);
    return kept;
}

/* Whether `word`, in lower case, stands in the line in any case. */
static bool has_word(struct slice line, struct slice word)
{
    for (size_t i = 0; i + word.len <= line.len; i++) {
        size_t k = 0;
        while (k < word.len && tolower((unsigned char)line.ptr[i + k]) == tolower((unsigned char)word.ptr[k]))
            k++;
        if (k == word.len)
            return true;
    }
    return false;
}

static bool has_all(struct slice line, const struct slice *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!has_word(line, words[i]))
            return false;
    return n > 0;
}

void docs_find(struct slice text, struct slice wanted, struct docs_hit hits[DOCS_HITS], size_t *n)
{
    struct slice words[WORDS_MAX];
    size_t nwords = 0, kept = 0;
    while (wanted.len && nwords < WORDS_MAX) {
        struct slice word = slice_trim(slice_take(&wanted, ' '));
        if (word.len)
            words[nwords++] = word;
    }
    *n = 0;
    for (int headings = 1; headings >= 0; headings--) {
        struct slice rest = text, heading = docs_title(text);
        bool code = false; /* a # in a block of code is no heading */
        while (rest.len) {
            struct slice line = slice_take(&rest, '\n');
            code ^= slice_starts(line, "```");
            size_t level = code ? 0 : take_heading(&line);
            if (level)
                heading = line;
            if (!!level != headings || !has_all(line, words, nwords))
                continue;
            if (kept < DOCS_HITS)
                hits[kept++] = (struct docs_hit){heading, slice_trim(line)};
            ++*n;
        }
    }
}

void docs_plain(struct str *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] && strchr("\\`*_<>[]|#", text.ptr[i]))
            str_addc(out, '\\');
        str_addc(out, (unsigned char)text.ptr[i] < ' ' ? ' ' : text.ptr[i]);
    }
}
