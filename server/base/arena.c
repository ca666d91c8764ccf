#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ALIGN = 16,
    FIRST_CHUNK = 1024, /* a line of a session is an arena of its own, and there are hundreds of thousands of them */
    LARGEST_STEP = 1 << 20,
    LARGE_ITEM = 64,    /* of these most arrays hold one or two */
};

struct arena_chunk {
    struct arena_chunk *next; /* older */
    size_t size;
    _Alignas(ALIGN) unsigned char bytes[];
};

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "telltale: out of memory (%zu bytes wanted)\n", size);
    abort();
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        out_of_memory(size);
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->chunk || a->size - a->used < size) {
        /* Chunks grow with the arena so that a large run needs few, and a small one wastes little. */
        size_t want = a->total < FIRST_CHUNK ? FIRST_CHUNK : a->total < LARGEST_STEP ? a->total : LARGEST_STEP;
        if (want < size)
            want = size;
        struct arena_chunk *chunk = malloc(sizeof *chunk + want);
        if (!chunk)
            out_of_memory(want);
        chunk->next = a->chunk;
        chunk->size = want;
        a->chunk = chunk;
        a->used = 0;
        a->size = want;
        a->total += want;
    }
    void *p = a->chunk->bytes + a->used;
    a->used += size;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        out_of_memory(SIZE_MAX);
    return memset(arena_alloc(a, bytes), 0, bytes);
}

struct slice arena_dup(struct arena *a, struct slice s)
{
    if (!s.ptr)
        return SLICE_NONE;
    char *p = arena_alloc(a, s.len + 1);
    if (s.len)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return slice_of(p, s.len);
}

char *arena_strdup(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.len + 1);
    if (s.len)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return p;
}

struct slice arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t len = n > 0 ? (size_t)n : 0;
    char *p = arena_alloc(a, len + 1);
    vsnprintf(p, len + 1, format, again);
    va_end(again);
    return slice_of(p, len);
}

void *arena_grow(struct arena *a, void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return array;
    size_t more = *cap ? *cap * 2 : size < LARGE_ITEM ? 8 : 2;
    void *p = arena_zalloc(a, more, size);
    if (n)
        memcpy(p, array, n * size);
    *cap = more;
    return p;
}

void arena_join(struct arena *a, struct arena *from)
{
    struct arena_chunk *oldest = from->chunk;
    if (!oldest)
        return;
    if (!a->chunk) {
        *a = *from;
    } else {
        while (oldest->next)
            oldest = oldest->next;
        oldest->next = a->chunk->next; /* behind the newest, which is being filled */
        a->chunk->next = from->chunk;
        a->total += from->total;
    }
    *from = (struct arena){0};
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *largest = NULL;
    for (struct arena_chunk *c = a->chunk, *next; c; c = next) {
        next = c->next;
        if (!largest || c->size > largest->size) {
            free(largest);
            largest = c;
        } else {
            free(c);
        }
    }
    if (largest)
        largest->next = NULL;
    a->chunk = largest;
    a->used = 0;
    a->size = a->total = largest ? largest->size : 0;
}

void arena_wipe(struct arena *a)
{
    for (struct arena_chunk *c = a->chunk; c; c = c->next)
        explicit_bzero(c->bytes, c->size);
    arena_free(a);
}

void arena_free(struct arena *a)
{
    for (struct arena_chunk *c = a->chunk, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    *a = (struct arena){0};
}
