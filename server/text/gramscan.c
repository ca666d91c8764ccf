#include "text/gramscan.h"

#include <endian.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static bool usable_always(void)
{
    return true;
}

/* The places from `at` on. */
static size_t find_from(const struct gramset *set, const char *text, size_t len, size_t at, uint16_t *places, size_t n)
{
    for (; at + sizeof(uint64_t) <= len; at += GRAMS_A_WORD) {
        uint64_t w;
        unsigned found = 0;
        memcpy(&w, text + at, sizeof w);
        w = fold_word(le64toh(w));
#pragma GCC unroll 5
        for (int k = 0; k < GRAMS_A_WORD; k++)
            found |= (unsigned)gramset_has(set, gram_of((uint32_t)(w >> 8 * k))) << k;
        for (; found; found &= found - 1)
            places[n++] = (uint16_t)(at + (size_t)__builtin_ctz(found));
    }
    for (; at + LITERAL_MIN <= len; at++)
        if (gramset_has(set, gram_at(text + at)))
            places[n++] = (uint16_t)at;
    return n;
}

static size_t within(size_t len)
{
    return len < GRAMSCAN_BYTES + 3 ? len : GRAMSCAN_BYTES + 3;
}

static size_t find_plain(const struct gramset *set, const char *text, size_t len, uint16_t places[GRAMSCAN_BYTES])
{
    return find_from(set, text, within(len), 0, places, 0);
}

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2")))

/* Lower case for the ASCII letters. As signed numbers the bytes from 0x80 on are below 'A'. */
static AVX2 __m256i fold32(__m256i v)
{
    __m256i letter = _mm256_and_si256(_mm256_cmpgt_epi8(v, _mm256_set1_epi8('A' - 1)), _mm256_cmpgt_epi8(_mm256_set1_epi8('Z' + 1), v));
    return _mm256_or_si256(v, _mm256_and_si256(letter, _mm256_set1_epi8(0x20)));
}

/* Eight 4-grams at a time: of sixteen bytes, twice in one register, a shuffle makes those that begin at 0 to 3 and at 4 to 7. */
static AVX2 size_t find_avx2(const struct gramset *set, const char *text, size_t len, uint16_t places[GRAMSCAN_BYTES])
{
    const __m256i windows = _mm256_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10);
    const __m256i multiplier = _mm256_set1_epi32((int)GRAM_MULTIPLIER);
    size_t at = 0, n = 0;
    len = within(len);
    for (; at + 16 <= len; at += 8) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + at));
        __m256i grams = _mm256_shuffle_epi8(fold32(_mm256_broadcastsi128_si256(bytes)), windows);
        __m256i products = _mm256_mullo_epi32(grams, multiplier); /* the hash is the upper half: eleven bits for the word, five in it */
        __m256i words = _mm256_i32gather_epi32((const int *)set->bits, _mm256_srli_epi32(products, 21), 4);
        __m256i shifts = _mm256_and_si256(_mm256_srli_epi32(products, 16), _mm256_set1_epi32(31));
        unsigned bits = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_sllv_epi32(words, shifts)));
        for (; bits; bits &= bits - 1)
            places[n++] = (uint16_t)(at + (size_t)__builtin_ctz(bits));
    }
    return find_from(set, text, len, at, places, n);
}

static bool usable_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

#endif

const struct gramscan gramscans[] = {
    {"plain", usable_always, find_plain},
#if defined(__x86_64__)
    {"avx2", usable_avx2, find_avx2},
#endif
};
const size_t gramscan_count = sizeof gramscans / sizeof gramscans[0];

const struct gramscan *gramscan_best(void)
{
    size_t i = gramscan_count - 1;
    while (!gramscans[i].usable())
        i--;
    return &gramscans[i];
}
