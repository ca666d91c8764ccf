/* What a text must contain for a pattern to match: the prefilter of rules and of search.
 *
 * A pattern is reduced to a conjunction of clauses, each a set of alternative literals of at least LITERAL_MIN bytes, in
 * ASCII lower case: the pattern can match only a text whose ASCII-folded bytes contain, for every clause, one of its
 * literals. A pattern about which nothing is known has no clause and may match anywhere. Never wrong in the other
 * direction: what is not understood (look-around, back-references, classes, optional parts) contributes nothing. */
#ifndef TEXT_LITERAL_H
#define TEXT_LITERAL_H

#include "base/arena.h"
#include "base/slice.h"
#include "text/regex.h"

enum { LITERAL_MIN = 4 };

struct clause {
    struct slice *any;   /* literals, folded; at least one */
    size_t n;
    size_t before;       /* bytes between the start of a match and one of them in it at most; BEFORE_ANY: any number */
    bool lines;          /* there may be a newline among them */
};
#define BEFORE_ANY SIZE_MAX
struct needs {
    struct clause *all;
    size_t n;
};

/* `flags` as in regex.h. Non-ASCII letters under REGEX_NOCASE (or (?i)) end a literal, since they fold differently. */
void needs_of_pattern(struct arena *a, struct slice pattern, int flags, struct needs *out);

/* 4-grams: the hash of four folded bytes, in [0, GRAM_BUCKETS). Used by the prefilter of the rule engine and by the index. */
enum { GRAM_BUCKETS = 1 << 16 };
static inline unsigned char fold_byte(unsigned char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c; }
/* Four folded bytes, the first lowest. */
#define GRAM_MULTIPLIER UINT32_C(0x9E3779B1)
static inline uint32_t gram_of(uint32_t four_folded) { return (four_folded * GRAM_MULTIPLIER) >> 16; }
static inline uint32_t gram_hash(const unsigned char folded[4])
{
    return gram_of((uint32_t)folded[0] | (uint32_t)folded[1] << 8 | (uint32_t)folded[2] << 16 | (uint32_t)folded[3] << 24);
}
/* The hash of the four bytes of a text that begin there. */
static inline uint32_t gram_at(const char *text)
{
    unsigned char folded[LITERAL_MIN];
    for (size_t k = 0; k < LITERAL_MIN; k++)
        folded[k] = fold_byte((unsigned char)text[k]);
    return gram_hash(folded);
}
/* Lower case for the ASCII letters among eight bytes. */
static inline uint64_t fold_word(uint64_t w)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t low = w & ~tops, from_a = low + ones * (0x80 - 'A'), past_z = low + ones * (0x80 - 'Z' - 1);
    return w | (from_a & ~past_z & ~w & tops) >> 2;
}
/* Eight bytes hold so many grams. */
enum { GRAMS_A_WORD = 5 };
/* Sets the bit of every 4-gram of the folded text in bits[GRAM_BUCKETS / 8] (not cleared first). */
void grams_mark(struct slice text, uint8_t bits[GRAM_BUCKETS / 8]);

#endif
