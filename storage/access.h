/* Who may do what: tokens, sessions of browsers, who acts on a store and what it shows them, and the log of who changed what. */
#ifndef STORAGE_ACCESS_H
#define STORAGE_ACCESS_H

#include "base/hash.h"
#include "storage/store.h"

enum may { MAY_INGEST = 1, MAY_READ = 2, MAY_REVIEW = 4, MAY_ADMIN = 8 };
enum { SCOPES = 4, MAY_ALL = 15 };
/* "ingest", "read", "review", "admin", by their place. */
extern const char *const scope_names[SCOPES];
/* A list with commas; ERR_USAGE names what is none. */
bool scopes_parse(struct slice text, unsigned *out, struct err *e);
/* With what they imply: review reads, admin does everything. */
unsigned scopes_implied(unsigned scopes);

/* ---- who acts --------------------------------------------------------------------------------------------------------- */

struct actor {
    struct slice name;            /* of the token, "local", "cli:USER" or "job:KIND" */
    struct slice token;           /* its id; absent: none */
    struct slice address;         /* where it is; may be absent */
    struct slice action;          /* as in the log of changes; absent: changes are not logged */
    struct slice target, detail;  /* what it was done to, and JSON; may be absent */
    bool streams;                 /* one of many that come all the time: logged once an hour for its actor and target */
    bool bound;                   /* sees the collections below, and of others not even that they are there */
    const int64_t *collections;   /* keys */
    size_t ncollections;
};
/* From now on it is they who act on the store; what it points to must live until the next call. NULL: nobody in particular, who sees
 * everything and leaves nothing in the log. */
void store_act_as(struct store *s, const struct actor *actor);
/* An Idempotency-Key as it is kept: the same words of another token are another key. Absent stays absent. */
struct slice store_own_key(const struct store *s, struct arena *a, struct slice key);
/* On stores on which nobody else acts it is they, in the whole process, whose changes then are one row of the log: a command line. */
void store_act_everywhere_as(const struct actor *actor);

/* ---- tokens ----------------------------------------------------------------------------------------------------------- */

/* "tt_", the id, "_", the secret: 32 random bytes as base64url. */
enum { TOKEN_ID = 12, TOKEN_SECRET = 43, TOKEN_TEXT = 3 + TOKEN_ID + 1 + TOKEN_SECRET };

struct token_row {
    int64_t n;
    struct slice id, name, made_by;
    unsigned char hash[SECRET_SIZE];
    unsigned scopes;              /* as they were given */
    bool bound;
    int64_t *keys;                /* of its collections; */
    struct slices collections;    /* their ids */
    int64_t rate;                 /* requests a second; 0: any */
    int64_t upload_max;           /* bytes of a body; 0: the server's own */
    int64_t created, expires, used, revoked; /* microseconds since 1970; 0: never */
};
struct token_rows { struct token_row *items; size_t n; };

/* Makes a token. Of `wish` count name, made_by, scopes, bound, collections (ids or names), rate, upload_max and expires. `text` gets what its
 * owner sends: it is written nowhere else. ERR_USAGE, ERR_NOT_FOUND: a collection. */
bool store_token_add(struct store *s, const struct token_row *wish, struct arena *a, char text[TOKEN_TEXT + 1], struct token_row *out,
                     struct err *e);
/* All of them, those that were revoked too, newest first. */
bool store_tokens(struct store *s, struct arena *a, struct token_rows *out, struct err *e);
/* From now on it is refused, and whoever was signed in with it is not any more. ERR_NOT_FOUND; ERR_CONFLICT: it is revoked already. */
bool store_token_revoke(struct store *s, struct slice id, struct err *e);
/* How many could be used at this moment. */
bool store_tokens_usable(struct store *s, int64_t *n, struct err *e);
/* Is the key of the tokens, where there is one, closed to all but its owner? Who reads it and a copy of the database can make up sessions. */
bool store_key_is_private(struct store *s);
/* A secret of its own for each `what`, made with the key beside the database, which is made where it is missing: it need not be stored. */
bool store_secret(struct store *s, struct slice what, unsigned char out[SECRET_SIZE], struct err *e);

/* ---- sessions --------------------------------------------------------------------------------------------------------- */

enum { SESSION_IDLE_S = 12 * 3600, SESSION_LIFE_S = 7 * 24 * 3600, SESSION_TEXT = 43, SESSIONS_MOST = 64 };
struct session_row {
    unsigned char hash[SECRET_SIZE];
    struct slice csrf;
    int64_t created, used;
    struct token_row token;
};
/* `text` gets what the browser keeps. A token has SESSIONS_MOST sessions at most: the one that was used longest ago ends. */
bool store_session_add(struct store *s, const struct token_row *token, struct arena *a, char text[SESSION_TEXT + 1], struct session_row *out,
                       struct err *e);
bool store_session_delete(struct store *s, const unsigned char hash[SECRET_SIZE], struct err *e);

/* When tokens and sessions were last used; sessions that have ended go. */
struct used { int64_t token; unsigned char session[SECRET_SIZE]; bool has_session; int64_t at; };
bool store_used(struct store *s, const struct used *items, size_t n, struct err *e);

/* ---- who is let in ---------------------------------------------------------------------------------------------------- */

/* The key, the tokens and the sessions as they are now, in memory and immutable. Fails where the key's file cannot be read. */
struct passes;
bool store_passes(struct store *s, struct passes **out, struct err *e);
void passes_free(struct passes *p); /* NULL is fine */
/* Another number as soon as any process changed a token or a session, or the key's file; reads nothing from the disk. */
uint64_t store_passes_stamp(struct store *s);
/* Another number after each commit of others to the database. */
bool store_commits(struct store *s, int64_t *out, struct err *e);
/* The token of that text, if it may be used now; *found false: there is none such, it has ended or was revoked. ERR_IO: there is no key. */
bool passes_token(const struct passes *p, struct slice text, struct arena *a, struct token_row *out, bool *found, struct err *e);
/* The session of a cookie, likewise. */
bool passes_session(const struct passes *p, struct slice text, struct arena *a, struct session_row *out);

/* ---- the log of changes ----------------------------------------------------------------------------------------------- */

/* The row of what changes nothing in the database: what the server does, and not the store. */
bool store_log_action(struct store *s, struct err *e);

struct audit_row { int64_t n, at; struct slice actor, token, address, action, target, detail; };
struct audit_rows { struct audit_row *items; size_t n; struct page_end end; };
/* Newest first. `actor`: of that name alone; absent: of all. */
bool store_audit(struct store *s, struct slice actor, const struct page *page, struct arena *a, struct audit_rows *out, struct err *e);

#endif
