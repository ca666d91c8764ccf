/* Private: the words of a column (columns.h) while it is read: each is known by a number from when it first comes. */
#ifndef STORAGE_WORDS_H
#define STORAGE_WORDS_H

#include "storage/columns.h"

struct words {
    struct arena *a;          /* where the words live */
    struct slice *items;      /* items[1 … n] */
    double *numbers;
    size_t n, cap, ncap, last;
    struct arena table;       /* slots, gone after words_end() */
    uint32_t *slots;
    size_t size;
    bool text, number, no_time; /* what came; no_time: a text that is none */
};

/* The code of a text (cut to WORD_MAX), 0 for an absent one; of a number, 0 for NAN. */
uint32_t words_text(struct words *w, struct slice text);
uint32_t words_number(struct words *w, double number);
/* Sorts the words and puts them into the column with codes[n], which are brought to the new order. */
void words_end(struct words *w, uint32_t *codes, size_t n, struct column *out);
/* The order of words. */
int words_compare(struct slice text, double number, struct slice other_text, double other_number);

#endif
