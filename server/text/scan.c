#include "text/scan.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ---- plain C: eight bytes at a time, then one by one ------------------------------------------------------------------ */

#define ONES UINT64_C(0x0101010101010101)
#define TOPS UINT64_C(0x8080808080808080)

static uint64_t load8(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* Not zero if a byte of w is zero; a borrow may also mark bytes above that one, never a word without any. */
static uint64_t zero_bytes(uint64_t w)
{
    return (w - ONES) & ~w & TOPS;
}

static bool is_special(unsigned char c)
{
    return c == '"' || c == '\\' || c < 0x20 || c >= 0x80;
}

static bool is_quote(unsigned char c)
{
    return c == '"' || c == '\\';
}

/* [ ] { } differ from one another in bit 0x20 and bits 0x06. */
static bool is_bracket(unsigned char c)
{
    return c == '"' || (c | 0x20) == '{' || (c | 0x20) == '}';
}

static uint64_t word_special(uint64_t w)
{
    return zero_bytes(w ^ ONES * '"') | zero_bytes(w ^ ONES * '\\') | ((w - ONES * 0x20) & ~w & TOPS) | (w & TOPS);
}

static const char *special_plain(const char *p, const char *end)
{
    while (end - p >= 8 && !word_special(load8(p)))
        p += 8;
    while (p < end && !is_special((unsigned char)*p))
        p++;
    return p;
}

static const char *quote_plain(const char *p, const char *end)
{
    for (uint64_t w; end - p >= 8; p += 8) {
        w = load8(p);
        if (zero_bytes(w ^ ONES * '"') | zero_bytes(w ^ ONES * '\\'))
            break;
    }
    while (p < end && !is_quote((unsigned char)*p))
        p++;
    return p;
}

static const char *bracket_plain(const char *p, const char *end)
{
    for (uint64_t w; end - p >= 8; p += 8) {
        w = load8(p);
        uint64_t folded = w | ONES * 0x20;
        if (zero_bytes(w ^ ONES * '"') | zero_bytes(folded ^ ONES * '{') | zero_bytes(folded ^ ONES * '}'))
            break;
    }
    while (p < end && !is_bracket((unsigned char)*p))
        p++;
    return p;
}

static const char *copy_plain(const char *p, const char *end, char *out)
{
    for (; end - p >= 8 && !word_special(load8(p)); p += 8, out += 8)
        memcpy(out, p, 8);
    while (p < end && !is_special((unsigned char)*p))
        *out++ = *p++;
    return p;
}

static bool usable_always(void)
{
    return true;
}

#if defined(__x86_64__)

/* ---- SSE2: every x86-64 has it ------------------------------------------------------------------------------------------ */

static __m128i load16(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* A byte below 0x20 is below it as a signed number too, and so is every byte from 0x80 on. */
static unsigned special16(__m128i v)
{
    __m128i m = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(m, _mm_cmplt_epi8(v, _mm_set1_epi8(0x20))));
}

static const char *special_sse2(const char *p, const char *end)
{
    for (; end - p >= 16; p += 16) {
        unsigned m = special16(load16(p));
        if (m)
            return p + __builtin_ctz(m);
    }
    return special_plain(p, end);
}

static const char *quote_sse2(const char *p, const char *end)
{
    for (; end - p >= 16; p += 16) {
        __m128i v = load16(p);
        __m128i m = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        unsigned bits = (unsigned)_mm_movemask_epi8(m);
        if (bits)
            return p + __builtin_ctz(bits);
    }
    return quote_plain(p, end);
}

static const char *bracket_sse2(const char *p, const char *end)
{
    for (; end - p >= 16; p += 16) {
        __m128i v = load16(p), folded = _mm_or_si128(v, _mm_set1_epi8(0x20));
        __m128i m = _mm_or_si128(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')), _mm_cmpeq_epi8(folded, _mm_set1_epi8('}')));
        unsigned bits = (unsigned)_mm_movemask_epi8(_mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8('"'))));
        if (bits)
            return p + __builtin_ctz(bits);
    }
    return bracket_plain(p, end);
}

static const char *copy_sse2(const char *p, const char *end, char *out)
{
    for (; end - p >= 16; p += 16, out += 16) {
        __m128i v = load16(p);
        _mm_storeu_si128((__m128i *)(void *)out, v);
        unsigned m = special16(v);
        if (m)
            return p + __builtin_ctz(m);
    }
    return copy_plain(p, end, out);
}

/* ---- AVX2 --------------------------------------------------------------------------------------------------------------- */

#define AVX2 __attribute__((target("avx2")))

static AVX2 __m256i load32(const char *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static AVX2 unsigned special32(__m256i v)
{
    __m256i m = _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')), _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
    return (unsigned)_mm256_movemask_epi8(_mm256_or_si256(m, _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v)));
}

static AVX2 const char *special_avx2(const char *p, const char *end)
{
    for (; end - p >= 32; p += 32) {
        unsigned m = special32(load32(p));
        if (m)
            return p + __builtin_ctz(m);
    }
    return special_sse2(p, end);
}

static AVX2 const char *quote_avx2(const char *p, const char *end)
{
    for (; end - p >= 32; p += 32) {
        __m256i v = load32(p);
        __m256i m = _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')), _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
        unsigned bits = (unsigned)_mm256_movemask_epi8(m);
        if (bits)
            return p + __builtin_ctz(bits);
    }
    return quote_sse2(p, end);
}

static AVX2 const char *bracket_avx2(const char *p, const char *end)
{
    for (; end - p >= 32; p += 32) {
        __m256i v = load32(p), folded = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
        __m256i m = _mm256_or_si256(_mm256_cmpeq_epi8(folded, _mm256_set1_epi8('{')),
                                    _mm256_cmpeq_epi8(folded, _mm256_set1_epi8('}')));
        unsigned bits = (unsigned)_mm256_movemask_epi8(_mm256_or_si256(m, _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"'))));
        if (bits)
            return p + __builtin_ctz(bits);
    }
    return bracket_sse2(p, end);
}

static AVX2 const char *copy_avx2(const char *p, const char *end, char *out)
{
    for (; end - p >= 32; p += 32, out += 32) {
        __m256i v = load32(p);
        _mm256_storeu_si256((__m256i *)(void *)out, v);
        unsigned m = special32(v);
        if (m)
            return p + __builtin_ctz(m);
    }
    return copy_sse2(p, end, out);
}

static bool usable_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

#endif

const struct scan scans[] = {
    {"plain", usable_always, special_plain, quote_plain, bracket_plain, copy_plain},
#if defined(__x86_64__)
    {"sse2", usable_always, special_sse2, quote_sse2, bracket_sse2, copy_sse2},
    {"avx2", usable_avx2, special_avx2, quote_avx2, bracket_avx2, copy_avx2},
#endif
};
const size_t scan_count = sizeof scans / sizeof scans[0];

const struct scan *scan_best(void)
{
    size_t i = scan_count - 1;
    while (!scans[i].usable())
        i--;
    return &scans[i];
}
