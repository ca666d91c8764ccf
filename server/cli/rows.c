#include "base/csv.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { ROW_BYTES = 256 << 20 };

#define JSON_HEAD "{\"items\":[" /* written with the first row: an error before it leaves nothing on stdout */

struct rows rows_start(const struct cli *cli, const struct column *columns)
{
    struct rows rows = {.output = cli->output, .columns = columns, .text = STR_INIT(ROW_BYTES)};
    switch (rows.output) {
    case OUTPUT_CSV:
        for (const struct column *c = columns; c->title; c++)
            printf("%s%s", c == columns ? "" : ",", c->title);
        printf("\r\n");
        break;
    case OUTPUT_TABLE:
        rows.held = json_array();
        break;
    case OUTPUT_JSON:
    case OUTPUT_JSONL:
        break;
    }
    return rows;
}

static const json_t *follow(const json_t *object, const char *path)
{
    char step[64];
    while (object && *path) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof step)
            return NULL;
        memcpy(step, path, n);
        step[n] = '\0';
        object = json_is_array(object) ? json_array_get(object, (size_t)strtoul(step, NULL, 10)) : json_object_get(object, step);
        path += n + (path[n] == '.');
    }
    return object;
}

/* What a cell says: strings as they are, nothing for null, JSON for the rest, with `digits` of a number that is no whole one.
 * The caller frees it. */
static char *cell_text(const json_t *object, const char *path, int digits, size_t *len)
{
    const json_t *v = follow(object, path);
    char *text = NULL;
    if (json_is_string(v)) {
        text = malloc(json_string_length(v) + 1);
        if (text)
            memcpy(text, json_string_value(v), json_string_length(v) + 1);
        *len = json_string_length(v);
    } else {
        text = !v || json_is_null(v) ? strdup("") : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(digits));
        *len = text ? strlen(text) : 0;
    }
    if (!text)
        abort();
    return text;
}

enum { DIGITS_EXACT = 17, DIGITS_SHOWN = 4 };

struct jsonw *rows_next(struct rows *rows)
{
    str_reset(&rows->text);
    rows->writer = jsonw_to(&rows->text);
    return &rows->writer;
}

void rows_add(struct rows *rows) { rows_add_text(rows, str_slice(&rows->text)); }

void rows_add_text(struct rows *rows, struct slice object)
{
    rows->count++;
    if (rows->output == OUTPUT_JSON || rows->output == OUTPUT_JSONL) {
        if (rows->output == OUTPUT_JSON)
            fputs(rows->count > 1 ? "," : JSON_HEAD, stdout);
        fwrite(object.ptr, 1, object.len, stdout);
        if (rows->output == OUTPUT_JSONL)
            putchar('\n');
        return;
    }
    json_t *row = json_loadb(object.ptr, object.len, JSON_ALLOW_NUL, NULL);
    if (rows->output == OUTPUT_TABLE) {
        json_array_append_new(rows->held, row ? row : json_object());
        return;
    }
    struct str line = STR_INIT(ROW_BYTES);
    for (const struct column *c = rows->columns; c->title; c++) {
        size_t len;
        char *text = cell_text(row, c->path, DIGITS_EXACT, &len);
        if (c != rows->columns)
            str_addc(&line, ',');
        csv_cell(&line, slice_of(text, len));
        free(text);
    }
    str_addz(&line, "\r\n");
    fwrite(line.ptr, 1, line.len, stdout);
    str_free(&line);
    json_decref(row);
}

/* Copies a cell to one line of printable text and counts its columns on a terminal. */
static size_t flatten(char *text, size_t len, size_t max)
{
    size_t columns = 0;
    char *to = text;
    mbstate_t state = {0};
    for (const char *from = text, *end = text + len; from < end && columns < max;) {
        wchar_t wide;
        size_t n = mbrtowc(&wide, from, (size_t)(end - from), &state);
        if (n == 0 || n > 8) {
            state = (mbstate_t){0};
            n = 1;
            wide = L'?';
        }
        int width = wcwidth(wide);
        if (width < 0) {
            *to++ = ' ';
            width = 1;
        } else {
            memmove(to, from, n);
            to += n;
        }
        columns += (size_t)width;
        from += n;
    }
    *to = '\0';
    return columns;
}

enum { WIDEST = 4096 };

static size_t terminal_width(void)
{
    struct winsize size;
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : WIDEST;
}

static void print_table(const struct rows *rows)
{
    size_t count = 0, n = 0;
    while (rows->columns[count].title)
        count++;
    size_t *widths = calloc(count + 1, sizeof *widths);
    const struct column **shown = calloc(count + 1, sizeof *shown);
    if (!widths || !shown)
        abort();
    for (const struct column *c = rows->columns; c->title; c++) {
        if (c->width == CSV_ONLY)
            continue;
        shown[n] = c;
        widths[n] = strlen(c->title);
        for (size_t i = 0; i < json_array_size(rows->held); i++) {
            size_t len;
            char *text = cell_text(json_array_get(rows->held, i), c->path, DIGITS_SHOWN, &len);
            size_t width = flatten(text, len, c->width ? (size_t)c->width : WIDEST);
            widths[n] = width > widths[n] ? width : widths[n];
            free(text);
        }
        n++;
    }
    size_t total = terminal_width();
    for (size_t i = 0; i <= json_array_size(rows->held); i++) {
        size_t used = 0;
        for (size_t k = 0; k < n; k++) {
            const struct column *c = shown[k];
            size_t len = strlen(c->title);
            char *text = i ? cell_text(json_array_get(rows->held, i - 1), c->path, DIGITS_SHOWN, &len) : strdup(c->title);
            size_t room = k + 1 == n && total > used ? total - used : widths[k];
            size_t width = flatten(text, len, room < widths[k] ? room : widths[k]);
            int pad = (int)(widths[k] - width);
            bool last = k + 1 == n;
            printf("%*s%s%*s%s", c->right ? pad : 0, "", text, c->right || last ? 0 : pad, "", last ? "\n" : "  ");
            used += widths[k] + 2;
            free(text);
        }
    }
    free(shown);
    free(widths);
}

void rows_end(struct rows *rows, struct slice more)
{
    switch (rows->output) {
    case OUTPUT_JSON:
        printf("%s],\"next\":null,\"total\":%zu%s%.*s}\n", rows->count ? "" : JSON_HEAD, rows->count, more.len ? "," : "", SLICE_ARG(more));
        break;
    case OUTPUT_TABLE:
        if (rows->count)
            print_table(rows);
        else
            fprintf(stderr, "nothing found\n");
        break;
    case OUTPUT_JSONL:
    case OUTPUT_CSV:
        break;
    }
    rows_drop(rows);
}

void rows_drop(struct rows *rows)
{
    json_decref(rows->held);
    str_free(&rows->text);
}
