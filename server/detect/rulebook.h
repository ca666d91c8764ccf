/* The packs and telltale.yaml as they were read, and a rule set for each collection that the settings tell apart. */
#ifndef DETECT_RULEBOOK_H
#define DETECT_RULEBOOK_H

#include "detect/detect.h"

struct rulebook;
struct rulebook_options {
    const char *const *paths;   /* packs beside the shipped one */
    size_t npaths;
    bool redact;                /* whatever the settings say */
    const char *config;         /* NULL: $TELLTALE_CONFIG, else telltale.yaml in the working directory, if there is one */
};

/* The path of telltale.yaml: what `config` says, or stands for it where that says nothing; NULL: there is none. */
const char *rulebook_config(const struct rulebook_options *o);
/* Problems in rules and settings are listed in `a`, never fatal; false only for what cannot be read, ERR_USAGE where the settings do not say
 * what holds. */
bool rulebook_load(const struct rulebook_options *o, struct arena *a, struct problems *problems, struct rulebook **out, struct err *e);
void rulebook_free(struct rulebook *b);
/* Reads all files anew; sets made from now on are of them. ERR_FORMAT names the first problem in rules or settings: with one, or with a file
 * that cannot be read, everything stays as it was. Any thread. */
bool rulebook_reload(struct rulebook *b, const struct rulebook_options *o, struct err *e);
/* Rules that are kept elsewhere, as texts of one rule each, in place of those given before; later than all files, whose rules of the same ids
 * they replace. Texts are copied. `stamp` says which state this is: 0, that of a fresh book, is no rules. Any thread. */
void rulebook_own(struct rulebook *b, int64_t stamp, const struct slice *texts, size_t n);
int64_t rulebook_own_stamp(struct rulebook *b);
/* What secrets look like, with a reference for the caller (secrets_unref); NULL: nothing is redacted. Any thread. */
struct secrets *rulebook_secrets(struct rulebook *b);
/* The rule set for a collection of that name, with a reference for the caller, for whom it lasts though the book is freed or read anew. Any
 * thread may ask. */
struct ruleset *rulebook_for(struct rulebook *b, struct slice collection);

#endif
