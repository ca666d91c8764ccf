/* Who asks, and whether they may: tokens, sessions of browsers, scopes, rates. A server is open (anybody may do everything: the default on
 * loopback) or closed (each call needs what its row in the route table says). What lies in collections that a token is not for is kept from it
 * by the store, on which access_act() lets the token act. */
#ifndef HTTP_ACCESS_H
#define HTTP_ACCESS_H

#include "http/request.h"

struct access;

/* `closed` without a token that could be used is refused: nobody could come in. */
bool access_open(const char *db, bool closed, struct access **out, struct err *e);
void access_close(struct access *access);
bool access_is_closed(const struct access *access);

/* From the head of a request whose route is known: says in r->who who asks. 0, or the status to refuse it with; then `a` has the headers that
 * belong to that. */
int access_check(struct access *access, struct request *r, struct answer *a, struct err *e);
/* The same of the arguments in the query, which are read after that. */
int access_check_query(const struct request *r, struct err *e);
/* May whoever asks make this call, as far as scopes and being bound go? 0, or the status. For a call that is made on another's behalf. */
int access_may(const struct request *r, struct err *e);
/* Of a signed-in browser that changes something: does it come from our page, and not from another site's? ERR_FORBIDDEN. access_check() sees to it
 * where a call needs somebody. */
bool access_from_page(const struct request *r, struct err *e);
/* A call that is `n` more requests of whoever asks: 0, or the status where their token may not make so many. `a` likewise. */
int access_count(struct request *r, struct answer *a, size_t n, struct err *e);
/* Before a body is read: is the collection of the path there, and may it have more, where the body brings runs? 0, or the status. */
int access_has_collection(struct access *access, const struct request *r, struct err *e);
/* Whoever asks, as a number other than 0: their token, or where there is none the address they come from. */
uint64_t access_actor(struct request *r);
/* What a request does on r->store from now on is done by whoever asks, and logged where it changes something. Until access_acted(). */
void access_act(struct request *r);
void access_acted(struct request *r);
/* May whoever asks see this job? Who may only put runs in sees what they put in; ERR_NOT_FOUND in the store's words. */
bool access_job(const struct request *r, const struct job_row *job, struct err *e);

/* May they change what holds for the whole server? */
bool access_everywhere(const struct request *r);

/* Signs in: the token of a text, if it may be used now; ERR_UNAUTHENTICATED, or ERR_TOO_MANY after too many failures from that address, or too many
 * sign-ins from there or with that token. */
bool access_sign_in(struct request *r, struct slice text, struct answer *a, struct token_row *out, struct err *e);
/* The value of a Set-Cookie; an empty text takes the cookie back. */
struct slice access_cookie(struct request *r, struct slice text);

#endif
