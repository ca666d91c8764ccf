/* Rules of one's own: texts in the rule language, kept in all their versions. Public, as store.h is. What they say is checked by whoever saves. */
#ifndef STORAGE_OWN_RULES_H
#define STORAGE_OWN_RULES_H

#include "storage/store.h"

enum { OWN_RULES_MAX = 500, OWN_RULE_BYTES = 256 << 10, OWN_RULE_VERSIONS = 200 /* kept of each */ };
struct own_rule_row {
    int64_t version;                /* from 1, in the order in which they came */
    struct slice id;
    struct slice text;              /* YAML or JSON of one rule; absent: it was taken away */
    struct slice author, note, created_at;
};
struct own_rule_rows { struct own_rule_row *items; size_t n; };

/* The latest version of each that was not taken away, by id. *stamp (may be NULL) is another after each change. */
bool store_own_rules(struct store *s, struct arena *a, struct own_rule_rows *out, int64_t *stamp, struct err *e);
bool store_own_rules_stamp(struct store *s, int64_t *stamp, struct err *e);
/* Of those, the ones by which the collection (id or name) has findings. */
bool store_own_rules_used(struct store *s, struct slice collection, struct arena *a, struct own_rule_rows *out, struct err *e);
/* All versions of one, the latest first. ERR_NOT_FOUND. */
bool store_own_rule_versions(struct store *s, struct slice id, struct arena *a, struct own_rule_rows *out, struct err *e);
/* Adds a version; the same text again adds none. ERR_LIMIT: there are OWN_RULES_MAX, or it is longer than OWN_RULE_BYTES. */
bool store_own_rule_put(struct store *s, const struct own_rule_row *row, struct arena *a, struct own_rule_row *out, struct err *e);
/* One that an export carries, with its created_at. What this database has, or had, under that id stays as it is. ERR_LIMIT as above. */
bool store_own_rule_carry(struct store *s, const struct own_rule_row *row, struct err *e);
/* Takes it away; its versions stay. ERR_NOT_FOUND. */
bool store_own_rule_remove(struct store *s, struct slice id, struct slice author, struct err *e);

#endif
