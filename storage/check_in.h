/* Private: what the checks of check.c share. */
#ifndef STORAGE_CHECK_IN_H
#define STORAGE_CHECK_IN_H

#include "storage/check.h"
#include "storage/inside.h"

struct check {
    struct store *store;
    const struct check_sink *sink;
    const char *name;
    int64_t looked, problems;
};

/* So many more were looked at; false: nobody wants the rest. */
bool check_looked(struct check *c, int64_t n, struct err *e);
/* Something is wrong; the sentence says what and where. */
void check_wrong(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A statement without parameters whose rows are each the sentence of a problem. */
bool check_query(struct check *c, const char *sql, struct err *e);
/* The number that a statement without parameters gives. */
bool check_number(struct store *s, const char *sql, int64_t *out, struct err *e);

/* The checks: false when they cannot go on. The repairs: in a write transaction. */
bool check_texts(struct check *c, struct err *e);
bool mend_texts(struct store *s, struct err *e);
bool check_evidence(struct check *c, struct err *e);
bool check_index(struct check *c, struct err *e);
bool mend_index(struct store *s, struct err *e);
bool check_counts(struct check *c, struct err *e);
bool mend_counts(struct store *s, struct err *e);

#endif
