#include "storage/words.h"

#include "base/clock.h"
#include "base/hash.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_WORDS = 16 };

/* A word is looked up by its text, or by the eight bytes of its number. */
static bool is_word(const struct words *w, uint32_t code, struct slice text, double number)
{
    return isnan(number) ? isnan(w->numbers[code]) && slice_eq(w->items[code], text) : w->numbers[code] == number;
}

static size_t hash_word(struct slice text, double number)
{
    return (size_t)hash_short(isnan(number) ? text : slice_of((const char *)&number, sizeof number));
}

static uint32_t *slot_of(struct words *w, struct slice text, double number)
{
    for (size_t at = hash_word(text, number);; at++) {
        uint32_t *slot = &w->slots[at & (w->size - 1)];
        if (!*slot || is_word(w, *slot, text, number))
            return slot;
    }
}

static void make_room(struct words *w)
{
    enum { FIRST = 64 };
    struct arena old = w->table;
    if (2 * (w->n + 1) < w->size)
        return;
    w->table = (struct arena){0};
    w->size = w->size ? 2 * w->size : FIRST;
    w->slots = arena_array(&w->table, uint32_t, w->size);
    for (size_t i = 1; i <= w->n; i++)
        *slot_of(w, w->items[i], w->numbers[i]) = (uint32_t)i;
    arena_free(&old);
}

/* A number as people write it: the shortest text that reads back the same. */
static struct slice number_text(struct arena *a, double number)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return arena_dup(a, slice_str(text));
}

static uint32_t code_of(struct words *w, struct slice text, double number)
{
    if (w->last && is_word(w, (uint32_t)w->last, text, number)) /* neighbours are often alike */
        return (uint32_t)w->last;
    make_room(w);
    uint32_t *slot = slot_of(w, text, number);
    if (!*slot) {
        if (!w->cap) { /* words are counted from 1 */
            w->cap = w->ncap = FIRST_WORDS;
            w->items = arena_array(w->a, struct slice, FIRST_WORDS);
            w->numbers = arena_array(w->a, double, FIRST_WORDS);
        }
        w->items = arena_grow(w->a, w->items, w->n + 1, &w->cap, sizeof *w->items);
        w->numbers = arena_grow(w->a, w->numbers, w->n + 1, &w->ncap, sizeof *w->numbers);
        w->n++;
        w->items[w->n] = isnan(number) ? arena_dup(w->a, text) : number_text(w->a, number);
        w->numbers[w->n] = number;
        *slot = (uint32_t)w->n;
    }
    w->last = *slot;
    return *slot;
}

uint32_t words_text(struct words *w, struct slice text)
{
    if (!text.ptr)
        return 0;
    w->text = true;
    if (!w->no_time) {
        struct arena a = {0};
        struct slice normal;
        w->no_time = !clock_normalize(&a, text, &normal);
        arena_free(&a);
    }
    return code_of(w, slice_cut(text, WORD_MAX), NAN);
}

uint32_t words_number(struct words *w, double number)
{
    if (isnan(number))
        return 0;
    w->number = true;
    return code_of(w, SLICE_NONE, number == 0 ? 0 : number); /* -0 is 0 */
}

int words_compare(struct slice text, double number, struct slice other_text, double other_number)
{
    if (isnan(number) != isnan(other_number))
        return isnan(number) ? 1 : -1;
    if (isnan(number))
        return slice_cmp(text, other_text);
    return (number > other_number) - (number < other_number);
}

struct sorted { struct slice text; double number; uint32_t code; };

static int by_word(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    return words_compare(x->text, x->number, y->text, y->number);
}

void words_end(struct words *w, uint32_t *codes, size_t n, struct column *out)
{
    struct arena scratch = {0};
    struct sorted *sorted = arena_array(&scratch, struct sorted, w->n + 1);
    uint32_t *now = arena_array(&scratch, uint32_t, w->n + 1);
    for (size_t i = 0; i < w->n; i++)
        sorted[i] = (struct sorted){w->items[i + 1], w->numbers[i + 1], (uint32_t)i + 1};
    qsort(sorted, w->n, sizeof *sorted, by_word);
    if (!w->n) {
        w->items = arena_array(w->a, struct slice, 1);
        w->numbers = arena_array(w->a, double, 1);
    }
    w->items[0] = SLICE_NONE;
    w->numbers[0] = NAN;
    for (size_t i = 0; i < w->n; i++) {
        w->items[i + 1] = sorted[i].text;
        w->numbers[i + 1] = sorted[i].number;
        now[sorted[i].code] = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < n; i++)
        codes[i] = now[codes[i]];
    out->codes = codes;
    out->words = w->items;
    out->numbers = w->numbers;
    out->nwords = (uint32_t)w->n;
    out->type = w->number && !w->text ? TYPE_NUMBER : w->text && !w->number && !w->no_time ? TYPE_TIME : TYPE_TEXT;
    arena_free(&scratch);
    arena_free(&w->table);
}
