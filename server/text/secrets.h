/* Secrets in text: keys, tokens, private keys and passwords, in the forms that their makers publish. One table says what they look like,
 * for the detector that names them (the macro `secret` of the shipped rules) and for redaction, which puts `[redacted:KIND]` in their place. */
#ifndef TEXT_SECRETS_H
#define TEXT_SECRETS_H

#include "text/jread.h"
#include "text/regex.h"

/* One form. Where the pattern has a group, that group is the secret, else all of the match. A kind may have several forms. No pattern
 * matches a marker, so that what was redacted stays as it is. */
struct secret_form {
    const char *kind;      /* letters, digits and dashes */
    const char *pattern;
    bool is_finding;       /* the detector names it; the others are less certain, and are only redacted */
    const char *about;
    const char *example;   /* a text with a made-up secret in it: in capitals what stands for random characters (secrets.c) */
};
extern const struct secret_form secret_forms[];
extern const size_t secret_form_count;

/* A pattern that matches a form of those that are findings, or the marker of one. */
struct slice secrets_pattern(struct arena *a);

struct secrets;              /* compiled; immutable, shared by threads */
struct secret_own {          /* a form that a user adds */
    struct slice kind, pattern;
};
/* ERR_FORMAT says which of one's own forms is none: its name is no kind, its pattern does not compile, or matches nothing at all or a marker. */
bool secrets_compile(const struct secret_own *own, size_t n, struct secrets **out, struct err *e);
/* NULL stays NULL. Any thread. */
struct secrets *secrets_ref(struct secrets *s);
void secrets_unref(struct secrets *s);

/* Do both (NULL: nothing) take the same for secrets? */
bool secrets_same(const struct secrets *a, const struct secrets *b);

/* How many forms there are, and what each is a form of; a kind may have several. */
size_t secrets_count(const struct secrets *s);
struct slice secrets_kind(const struct secrets *s, size_t form);

struct secret_span {
    size_t start, end;       /* bytes */
    struct slice kind;
    size_t form;             /* of those that match at one place, the first in the table says what it is */
};
struct secret_spans {        /* in order and apart */
    struct secret_span *items;
    size_t n, cap;
};

/* Who redacts: one a thread. */
struct redaction {
    const struct secrets *secrets;
    struct regex_scratch *scratch;
    struct arena *arena;     /* of what is written anew */
    uint64_t replaced;       /* secrets so far */
    uint64_t *kinds;         /* the same by form, secrets_count() of them; NULL: nobody asks */
};

/* All functions below: false where a pattern did not come to an end on a text (ERR_LIMIT): then nothing of it may be kept. */
bool secrets_find(const struct redaction *r, struct slice text, struct secret_spans *out, struct err *e);
bool redact_text(struct redaction *r, struct slice *text, struct err *e);
/* Bytes of the marker in the place of a secret. */
size_t redact_mark_len(const struct secret_span *span);
/* JSON text stays JSON text: what its strings and names say is redacted. What is no JSON is redacted as text. */
bool redact_json(struct redaction *r, struct slice *json, struct err *e);
/* The same of one text by itself, JSON or not; without secrets to look for (NULL) it stays as it is. Any thread. */
bool redact_once(const struct secrets *secrets, struct arena *a, struct slice *text, struct err *e);
/* A tree in place. */
bool redact_tree(struct redaction *r, struct jvalue *v, struct err *e);

#endif
