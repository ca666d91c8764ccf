/* Errors: a code that programs act on and one sentence that people act on. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

enum err_code {
    ERR_NONE,
    ERR_USAGE,         /* the caller asked for something that has no meaning */
    ERR_NOT_FOUND,     /* no such collection, run, file ... */
    ERR_CONFLICT,      /* the name is taken; the state forbids it */
    ERR_REUSED,        /* an Idempotency-Key that came with another request before */
    ERR_FORMAT,        /* bytes that are not what they claim to be */
    ERR_NOT_TRANSCRIPT,/* well-formed, but no transcript that we know */
    ERR_TOO_LARGE,     /* over a stated limit */
    ERR_LIMIT,         /* a time, match or row limit ended the work early */
    ERR_CANCELLED,     /* asked to stop */
    ERR_UNAUTHENTICATED,/* no token, or one that is not known, has ended or was revoked */
    ERR_FORBIDDEN,     /* foreign Origin or Host, or not allowed by scope */
    ERR_TOO_MANY,      /* more requests than a token or an address may make; later again */
    ERR_BUSY,          /* the database is locked by another writer for too long */
    ERR_NEWER,         /* the database was made by a newer telltale */
    ERR_FULL,          /* disk full */
    ERR_QUOTA,         /* a collection has all the runs that it may have: it does not pass by waiting, as a full disk may */
    ERR_IO,            /* the operating system refused */
    ERR_INTERNAL,      /* our own fault */
};

struct err {
    enum err_code code;
    char text[512];
};

/* Sets code and text (the sentence ends without a full stop, names what, where and what to do) and returns false, so
 * that a fallible function can `return err_set(e, …)`. `e` may be NULL: the caller wants no reason. */
bool err_set(struct err *e, enum err_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with strerror(errno) at the end; ENOSPC and EDQUOT become ERR_FULL, ENOENT ERR_NOT_FOUND, all else ERR_IO. */
bool err_errno(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts words in front of the reason, as "words: reason". Returns false. */
bool err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes the folder that the absolute `path` (NULL: none) is in out of the text, wherever it stands: who asks a server need not know where
 * its files are. */
void err_hide_folder(struct err *e, const char *path);

/* The stable name of a code ("not_found"), as in problem+json and `errors[].code`. */
const char *err_name(enum err_code code);
/* The HTTP status of a code. */
int err_http_status(enum err_code code);
/* The exit status of a code (the contract: 1 refused or found, 2 wrong usage, 3 could not run). */
int err_exit_status(enum err_code code);

#endif
