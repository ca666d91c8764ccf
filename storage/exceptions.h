/* Exceptions of rules: kept, listed, taken back. Public, as store.h is. */
#ifndef STORAGE_EXCEPTIONS_H
#define STORAGE_EXCEPTIONS_H

#include "storage/store.h"

enum { EXCEPTIONS_MAX = 2000 };
struct exception_row {
    struct slice id;
    struct slice collection, collection_name; /* absent: it holds everywhere */
    struct slice detector;
    struct slice condition;         /* JSON, transcript/except.h */
    struct slice reviewer, note, created_at;
    int64_t findings;               /* that it sets aside now */
};
struct exception_rows { struct exception_row *items; size_t n; };

/* Oldest first. `collection` (id or name; absent: all): those that hold in it, findings counted in it alone. `detector` absent: of any. */
bool store_exceptions(struct store *s, struct slice collection, struct slice detector, struct arena *a, struct exception_rows *out, struct err *e);
/* Adds one (id and created_at absent: made) and sets aside what it holds of and nobody has confirmed or dismissed. `collection` is an id or a
 * name. ERR_USAGE: its condition means nothing; ERR_CONFLICT: the id is taken; ERR_LIMIT: there are EXCEPTIONS_MAX, or looking at the findings took
 * too long, and nothing was added. Findings are set aside in several transactions: after another error some may be open still. */
bool store_exception_add(struct store *s, const struct exception_row *row, struct arena *a, struct exception_row *out, struct err *e);
/* How many findings it would set aside; nothing is written. */
bool store_exception_try(struct store *s, const struct exception_row *row, uint64_t *findings, struct err *e);
/* Takes one back: what it alone set aside is open again. In several transactions, so that others write in between: cut short, it holds of nothing any
 * more, is listed with what it still sets aside, and the same again does the rest. */
bool store_exception_delete(struct store *s, struct slice id, uint64_t *findings, struct err *e);
/* One that an export carries, into the collection of that id. What is there already stays as it is. */
bool store_exception_carry(struct store *s, const struct exception_row *row, struct err *e);

#endif
