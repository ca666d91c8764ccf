#include "storage/uses.h"

#include "storage/varint.h"

#include <stdlib.h>

/* A use is three varints: the distance from the text before, the distance from the message before (of the same text, else from
 * 0), and role | part << 2 | call << 4. */

void uses_add(struct uses *u, const struct text_use *use)
{
    if (use->text <= TEXT_EMPTY)
        return;
    if (u->n == u->cap) {
        u->cap = u->cap ? 2 * u->cap : 64;
        u->items = realloc(u->items, u->cap * sizeof *u->items);
        if (!u->items)
            abort();
    }
    u->items[u->n++] = *use;
}

void uses_free(struct uses *u)
{
    free(u->items);
    *u = (struct uses){0};
}

static int compare(const void *a, const void *b)
{
    const struct text_use *x = a, *y = b;
    if (x->text != y->text)
        return x->text < y->text ? -1 : 1;
    if (x->message != y->message)
        return x->message < y->message ? -1 : 1;
    return x->part != y->part ? (int)x->part - (int)y->part : x->call - y->call;
}

bool uses_rows(struct uses *u, bool (*row)(void *ctx, int64_t block, struct slice uses, struct err *e), void *ctx, struct err *e)
{
    if (u->n > 1)
        qsort(u->items, u->n, sizeof *u->items, compare);
    unsigned char *bytes = malloc(u->n * 3 * VARINT_MAX + 1);
    if (!bytes)
        abort();
    bool ok = true;
    for (size_t i = 0; ok && i < u->n;) {
        int64_t block = text_block(u->items[i].text), text = block << TEXT_BITS, message = 0;
        size_t len = 0;
        for (; i < u->n && text_block(u->items[i].text) == block; i++) {
            const struct text_use *use = &u->items[i];
            if (use->message < 0)
                continue;
            if (use->text != text)
                message = 0;
            len += varint_put(bytes + len, (uint64_t)(use->text - text));
            len += varint_put(bytes + len, (uint64_t)(use->message - message));
            len += varint_put(bytes + len, (uint64_t)use->role | (uint64_t)use->part << 2 | (uint64_t)use->call << 4);
            text = use->text;
            message = use->message;
        }
        ok = row(ctx, block, slice_of((const char *)bytes, len), e);
    }
    free(bytes);
    return ok;
}

struct write {
    struct store *store;
    int64_t run;
};

static bool write_row(void *ctx, int64_t block, struct slice uses, struct err *e)
{
    const struct write *w = ctx;
    struct stmt *q = db_prepare(w->store->db, "INSERT INTO block_run (block, run, uses) VALUES ($1, $2, $3)", e);
    bind_int(q, block);
    bind_int(q, w->run);
    bind_blob(q, uses);
    return stmt_run(q, e);
}

bool uses_write(struct store *s, struct uses *u, int64_t run, struct err *e)
{
    return uses_rows(u, write_row, &(struct write){s, run}, e);
}

struct uses_reader uses_open(int64_t block, struct slice bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    return (struct uses_reader){.p = p, .end = p + bytes.len, .use = {.text = block << TEXT_BITS}};
}

bool uses_next(struct uses_reader *r, struct text_use *out)
{
    uint64_t text, message, kind;
    if (r->p == r->end || !(r->p = varint_get(r->p, r->end, &text)) || !(r->p = varint_get(r->p, r->end, &message)) ||
        !(r->p = varint_get(r->p, r->end, &kind))) {
        r->p = r->end; /* cut off: what was there was read */
        return false;
    }
    if (text)
        r->use.message = 0;
    r->use.text += (int64_t)text;
    r->use.message += (int64_t)message;
    r->use.role = (enum role)(kind & 3);
    r->use.part = (enum text_part)(kind >> 2 & 3);
    r->use.call = (int)(kind >> 4);
    *out = r->use;
    return true;
}
