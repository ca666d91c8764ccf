#include "http/access.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/threads.h"
#include "http/gate.h"
#include "http/route.h"
#include "storage/care.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    RATES = 4096,           /* tokens and addresses that are counted at one time; */
    RATE_WAYS = 8,          /* of so many that share a place the one that was seen longest ago goes */
    FAILURES_BURST = 20,    /* tokens that an address may get wrong at once, */
    FAILURES_A_MINUTE = 10, /* and from then on */
    SIGN_INS_BURST = 100,   /* with one token; each is a write, and has the tokens read anew; */
    SIGN_INS_A_MINUTE = 10,
    PLACE_SIGN_INS = 4,     /* from one address so many times both, with whatever tokens */
    BURST_S = 10,           /* a rate is let through so many seconds ahead */
    USED_MOST = 1024,       /* uses that wait to be written */
    USED_S = 60,            /* and how long */
    LOOK_MS = 500,          /* how often it is looked whether others than our programs changed a token */
    COOKIES_MOST = 8,       /* cookies of our name that are tried */
    DETAIL_MAX = 4096,
};

struct rate { /* a bucket that fills with time; who takes the last of it waits */
    uint64_t key;
    double left;
    int64_t at; /* 0: free */
};

struct access {
    bool closed;
    const char *db;
    pthread_mutex_t loading; /* the store, and what was seen in it */
    struct store *store;
    int64_t version;
    pthread_mutex_t asking;  /* the store that knows of quotas */
    struct store *quotas;
    atomic_uint_fast64_t stamp; /* of the passes */
    atomic_bool stale;       /* they could not be read anew */
    pthread_mutex_t lock;    /* all below; nobody waits for the disk with it */
    struct passes *passes;
    struct rate rates[RATES];
    struct used used[USED_MOST];
    size_t nused;
    pthread_cond_t wake;
    bool ending;
    pthread_t writer;
    bool writing;
};

/* ---- tokens and sessions in memory ------------------------------------------------------------------------------------- */

/* Under `loading`. */
static bool load(struct access *access, struct err *e)
{
    struct passes *passes, *before;
    uint64_t stamp = store_passes_stamp(access->store);
    if (!store_commits(access->store, &access->version, e) || !store_passes(access->store, &passes, e)) {
        atomic_store(&access->stale, true);
        return false;
    }
    pthread_mutex_lock(&access->lock);
    before = access->passes;
    access->passes = passes;
    pthread_mutex_unlock(&access->lock);
    atomic_store(&access->stamp, stamp); /* only now: who sees it takes what is there for what it is of */
    atomic_store(&access->stale, false);
    passes_free(before);
    return true;
}

/* At once where one of our programs changed a token, signed in or out; the disk is looked at then alone. */
static bool catch_up(struct access *access, struct err *e)
{
    bool ok = true;
    if (!atomic_load(&access->stale) && store_passes_stamp(access->store) == atomic_load(&access->stamp))
        return true;
    pthread_mutex_lock(&access->loading);
    if (atomic_load(&access->stale) || store_passes_stamp(access->store) != atomic_load(&access->stamp))
        ok = load(access, e);
    pthread_mutex_unlock(&access->loading);
    return ok;
}

/* What others wrote into the database itself; and, `whole`, when sessions were last used. */
static void look_again(struct access *access, bool whole)
{
    struct err e = {0};
    int64_t version;
    pthread_mutex_lock(&access->loading);
    bool known = atomic_load(&access->stale);
    bool ok = store_commits(access->store, &version, &e) && ((!whole && !known && version == access->version) || load(access, &e));
    atomic_store(&access->stale, !ok);
    pthread_mutex_unlock(&access->loading);
    if (!ok && !known)
        log_error("tokens cannot be read, so that nobody is let in: %s", e.text);
}

/* ---- when they were last used ------------------------------------------------------------------------------------------ */

/* Every minute, so that reading costs no writing; the last of it when the server stops. */
static void write_used(struct access *access)
{
    struct used used[USED_MOST];
    struct store *s;
    struct err e = {0};
    pthread_mutex_lock(&access->lock);
    size_t n = access->nused;
    memcpy(used, access->used, n * sizeof *used);
    access->nused = 0;
    pthread_mutex_unlock(&access->lock);
    if (!n)
        return;
    if (!store_open(access->db, STORE_WRITE, &s, &e) || !store_used(s, used, n, &e))
        log_warn("when tokens were last used could not be written: %s", e.text);
    store_close(s);
}

static void *keep_up(void *ctx)
{
    struct access *access = ctx;
    bool ending = false;
    for (int64_t write_at = clock_monotonic_us() + USED_S * INT64_C(1000000); !ending;) {
        int64_t until = clock_monotonic_us() + LOOK_MS * 1000;
        pthread_mutex_lock(&access->lock);
        while (!access->ending && cond_wait_until(&access->wake, &access->lock, until))
            ;
        ending = access->ending;
        pthread_mutex_unlock(&access->lock);
        bool write = ending || clock_monotonic_us() >= write_at;
        if (write) {
            write_used(access);
            write_at += USED_S * INT64_C(1000000);
        }
        look_again(access, write);
    }
    return NULL;
}

/* Under the lock. Where too many wait, the use is not remembered: the next one will be. */
static void note_use(struct access *access, const struct who *who)
{
    int64_t now = clock_now_us();
    size_t i = 0;
    for (; i < access->nused; i++)
        if (access->used[i].token == who->token.n && access->used[i].has_session == who->has_session &&
            (!who->has_session || memcmp(access->used[i].session, who->session.hash, SECRET_SIZE) == 0))
            break;
    if (i == USED_MOST)
        return;
    access->nused += i == access->nused;
    access->used[i] = (struct used){.token = who->token.n, .has_session = who->has_session, .at = now};
    if (who->has_session)
        memcpy(access->used[i].session, who->session.hash, SECRET_SIZE);
}

/* ---- rates ------------------------------------------------------------------------------------------------------------- */

static struct rate *rate_of(struct access *access, struct slice name, double burst, int64_t now)
{
    uint64_t key = hash_short(name) | 1;
    struct rate *set = &access->rates[key / 2 % (RATES / RATE_WAYS) * RATE_WAYS], *oldest = set;
    for (size_t i = 0; i < RATE_WAYS; i++) {
        if (set[i].key == key && set[i].at)
            return &set[i];
        if (set[i].at < oldest->at)
            oldest = &set[i];
    }
    *oldest = (struct rate){.key = key, .left = burst, .at = now};
    return oldest;
}

/* Takes one of what `name` may have; *wait_s: in how many seconds there will be one again. */
static bool rate_take(struct access *access, struct slice name, double a_second, double burst, int *wait_s)
{
    int64_t now = clock_monotonic_us();
    struct rate *rate = rate_of(access, name, burst, now);
    rate->left += (double)(now - rate->at) / 1e6 * a_second;
    if (rate->left > burst)
        rate->left = burst;
    rate->at = now;
    *wait_s = (int)((1 - rate->left) / a_second) + 1;
    if (rate->left < 1)
        return false;
    rate->left--;
    return true;
}

static int too_many(struct request *r, struct answer *a, int wait_s, const char *what, struct err *e)
{
    answer_header(a, "Retry-After", arena_printf(&r->arena, "%d", wait_s));
    err_set(e, ERR_TOO_MANY, "%s; try again in %d second%s", what, wait_s, wait_s == 1 ? "" : "s");
    return err_http_status(ERR_TOO_MANY);
}

/* ---- who asks ---------------------------------------------------------------------------------------------------------- */

/* What comes with "Bearer TOKEN", or as the password of "Basic": Langfuse's SDKs send their secret key so. */
static struct slice token_of(struct request *r)
{
    static const char bearer[] = "Bearer ", basic[] = "Basic ";
    struct slice header = r->header[HEADER_AUTHORIZATION];
    if (slice_eq_nocase(slice_sub(header, 0, sizeof bearer - 1), slice_str(bearer)))
        return slice_trim(slice_sub(header, sizeof bearer - 1, header.len));
    if (!slice_eq_nocase(slice_sub(header, 0, sizeof basic - 1), slice_str(basic)))
        return slice_str("");
    struct slice both = base64_read(&r->arena, slice_trim(slice_sub(header, sizeof basic - 1, header.len)));
    slice_take(&both, ':');
    return both;
}

/* Cookies are for a host, whatever the port (RFC 6265, 8.5): the name has the port that the browser sees, so that each of several servers on one
 * host keeps its own. Of a browser that came by https it binds the cookie to this host and to https too. */
static struct slice cookie_name(struct request *r)
{
    struct slice port = gate_port(r->header[HEADER_HOST]);
    return arena_printf(&r->arena, "%stelltale_session%s%.*s", r->client.secure ? "__Host-" : "", port.len ? "_" : "", SLICE_ARG(port));
}

struct slice access_cookie(struct request *r, struct slice text)
{
    return arena_printf(&r->arena, "%.*s=%.*s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s", SLICE_ARG(cookie_name(r)), SLICE_ARG(text),
                        text.len ? SESSION_LIFE_S : 0, r->client.secure ? "; Secure" : "");
}

static void let_in(struct who *who)
{
    who->name = who->token.name;
    who->scopes = scopes_implied(who->token.scopes);
}

static bool find_token(struct access *access, struct slice text, struct arena *a, struct token_row *out, bool *found, struct err *e)
{
    if (!catch_up(access, e))
        return false;
    pthread_mutex_lock(&access->lock);
    bool ok = passes_token(access->passes, text, a, out, found, e);
    pthread_mutex_unlock(&access->lock);
    return ok;
}

static bool find_session(struct access *access, struct slice text, struct arena *a, struct session_row *out, bool *found, struct err *e)
{
    if (!catch_up(access, e))
        return false;
    pthread_mutex_lock(&access->lock);
    *found = passes_session(access->passes, text, a, out);
    pthread_mutex_unlock(&access->lock);
    return true;
}

/* Several cookies may have the name, as another server on the host can set them too: the first that is a session's counts. */
static bool find_cookie(struct access *access, struct request *r, struct session_row *out, bool *found, struct err *e)
{
    struct slice rest = r->header[HEADER_COOKIE], name = cookie_name(r);
    for (int tries = 0; rest.len && tries < COOKIES_MOST && !*found;) {
        struct slice text = slice_trim(slice_take(&rest, ';')), key = slice_take(&text, '=');
        if (!slice_eq(key, name))
            continue;
        tries++;
        if (!find_session(access, text, &r->arena, out, found, e))
            return false;
    }
    return true;
}

/* Whose token or session it is; r->who stays empty where it is nobody's. */
static bool identify(struct access *access, struct request *r, struct err *e)
{
    struct who *who = &r->who;
    bool found = false;
    if (r->header[HEADER_AUTHORIZATION].ptr) {
        if (!find_token(access, token_of(r), &r->arena, &who->token, &found, e))
            return false;
    } else if (r->header[HEADER_COOKIE].len) {
        if (!find_cookie(access, r, &who->session, &found, e))
            return false;
        who->has_session = found;
        who->token = who->session.token;
    }
    if (!found)
        who->token = (struct token_row){0};
    else
        let_in(who);
    return true;
}

int access_has_collection(struct access *access, const struct request *r, struct err *e)
{
    const struct token_row *token = &r->who.token;
    const struct actor asks = {.bound = token->bound, .collections = token->keys, .ncollections = token->collections.n};
    pthread_mutex_lock(&access->asking);
    store_act_as(access->quotas, &asks);
    bool ok = store_collection_has_room(access->quotas, r->path[0], e);
    store_act_as(access->quotas, NULL);
    pthread_mutex_unlock(&access->asking);
    return ok || (e->code == ERR_QUOTA && r->route->body != BODY_SPOOL) ? 0 : err_http_status(e->code);
}

/* Who has one IPv6 address has the 2^64 beside it. */
static struct slice place_of(struct request *r)
{
    struct in6_addr address;
    const char *text = arena_strdup(&r->arena, r->client.address);
    return inet_pton(AF_INET6, text, &address) == 1 && !IN6_IS_ADDR_V4MAPPED(&address) ? arena_dup(&r->arena, slice_of((const char *)&address, 8))
                                                                                      : r->client.address;
}

uint64_t access_actor(struct request *r) { return hash_short(r->who.token.n ? r->who.token.id : place_of(r)) | 1; }

/* A token that is not known: 0, or the status where too many came from there. */
static int count_failure(struct access *access, struct request *r, struct answer *a, struct err *e)
{
    int wait_s;
    struct slice place = place_of(r);
    pthread_mutex_lock(&access->lock);
    bool may = rate_take(access, place, FAILURES_A_MINUTE / 60.0, FAILURES_BURST, &wait_s);
    pthread_mutex_unlock(&access->lock);
    return may ? 0 : too_many(r, a, wait_s, "too many tokens that are not known came from this address", e);
}

static int unauthenticated(struct access *access, struct request *r, struct answer *a, struct err *e)
{
    bool tried = r->header[HEADER_AUTHORIZATION].ptr;
    int status = tried ? count_failure(access, r, a, e) : 0;
    if (status)
        return status;
    answer_header(a, "WWW-Authenticate", slice_str("Bearer"));
    err_set(e, ERR_UNAUTHENTICATED, tried ? "the token is not known here, has ended or was revoked"
                                          : "this server asks for a token: send it as \"Authorization: Bearer TOKEN\", or sign in on the page");
    return err_http_status(ERR_UNAUTHENTICATED);
}

static const unsigned enough[NEEDS] = { /* any of these scopes */
    [NEED_ANY] = MAY_ALL,
    [NEED_INGEST] = MAY_INGEST,
    [NEED_STATE] = MAY_INGEST | MAY_READ,
    [NEED_READ] = MAY_READ,
    [NEED_REVIEW] = MAY_REVIEW,
    [NEED_ADMIN] = MAY_ADMIN,
};

static int forbidden(struct err *e, const char *why) { return err_set(e, ERR_FORBIDDEN, "%s", why), err_http_status(ERR_FORBIDDEN); }

static bool writes(const struct request *r) { return !slice_is(r->method, "GET") && !slice_is(r->method, "HEAD"); }

/* What a page of another site could make a browser send must not be enough. */
static bool is_our_page(const struct request *r)
{
    struct slice csrf = r->who.session.csrf, sent = r->header[HEADER_CSRF];
    unsigned char a[SECRET_SIZE], b[SECRET_SIZE];
    sha256_of(csrf, a);
    sha256_of(sent, b);
    return r->header[HEADER_ORIGIN].ptr && sent.len && secret_same(a, b); /* that the Origin is ours, the gate has seen */
}

bool access_from_page(const struct request *r, struct err *e)
{
    return !r->who.has_session || !writes(r) || is_our_page(r) ||
           err_set(e, ERR_FORBIDDEN, "a change by a signed-in browser needs the header X-Telltale-CSRF with the session's value, and an Origin");
}

static int count(struct request *r, struct answer *a, const struct token_row *token, size_t n, struct err *e)
{
    struct access *access = r->server->access;
    bool ok = true;
    int wait_s = 0;
    pthread_mutex_lock(&access->lock);
    for (size_t i = 0; i < n && ok && token->rate; i++)
        ok = rate_take(access, token->id, (double)token->rate, (double)token->rate * BURST_S, &wait_s);
    pthread_mutex_unlock(&access->lock);
    return ok ? 0 : too_many(r, a, wait_s, "this token has made more requests than it may", e);
}

int access_count(struct request *r, struct answer *a, size_t n, struct err *e) { return count(r, a, &r->who.token, n, e); }

static int may(struct access *access, struct request *r, struct answer *a, struct err *e)
{
    const struct route *route = r->route;
    struct who *who = &r->who;
    if (route->need == NEED_NONE) /* who asks may matter, but refuses nobody who does not guess */
        return !who->token.n && r->header[HEADER_AUTHORIZATION].ptr ? count_failure(access, r, a, e) : 0;
    if (!who->token.n)
        return unauthenticated(access, r, a, e);
    pthread_mutex_lock(&access->lock);
    note_use(access, who);
    pthread_mutex_unlock(&access->lock);
    int status = access_count(r, a, 1, e);
    if (status)
        return status;
    return access_from_page(r, e) ? access_may(r, e) : err_http_status(e->code);
}

int access_may(const struct request *r, struct err *e)
{
    const struct route *route = r->route;
    const struct who *who = &r->who;
    if (route->need != NEED_NONE && !(who->scopes & enough[route->need]))
        return err_set(e, ERR_FORBIDDEN, "this needs a token with the scope %s, which \"%.*s\" has not", need_names[route->need],
                       SLICE_ARG(who->name)), err_http_status(ERR_FORBIDDEN);
    if (who->token.bound && (route->of == OF_ALL || route->of == OF_UNSAID))
        return forbidden(e, "this is about the whole server, and the token is for some collections only");
    return 0;
}

int access_check(struct access *access, struct request *r, struct answer *a, struct err *e)
{
    if (!access->closed) {
        r->who = (struct who){.name = slice_str("local"), .scopes = MAY_ALL};
        return 0;
    }
    if (r->route->need == NEED_NONE && r->route->of != OF_SESSION)
        return 0;
    if (!identify(access, r, e))
        return err_http_status(ERR_BUSY);
    return may(access, r, a, e);
}

int access_check_query(const struct request *r, struct err *e)
{
    for (size_t i = 0; i < r->args.n; i++) {
        const struct param *p = r->args.items[i].param;
        if (p->may && r->args.items[i].number && !(r->who.scopes & p->may))
            return err_set(e, ERR_FORBIDDEN, "\"%s\" needs a token with the scope %s too, which \"%.*s\" has not", p->name,
                           scope_names[__builtin_ctz(p->may)], SLICE_ARG(r->who.name)), err_http_status(ERR_FORBIDDEN);
    }
    return 0;
}

/* Apart from its other requests, which may have no limit. */
static int count_sign_in(struct access *access, struct request *r, struct answer *a, const struct token_row *token, struct err *e)
{
    int wait_s;
    struct slice place = place_of(r), of_token = arena_printf(&r->arena, "sign-in:%.*s", SLICE_ARG(token->id)),
                 of_place = arena_printf(&r->arena, "sign-in from:%.*s", SLICE_ARG(place));
    double a_second = SIGN_INS_A_MINUTE / 60.0;
    pthread_mutex_lock(&access->lock);
    bool may = rate_take(access, of_token, a_second, SIGN_INS_BURST, &wait_s) &&
               rate_take(access, of_place, a_second * PLACE_SIGN_INS, SIGN_INS_BURST * PLACE_SIGN_INS, &wait_s);
    pthread_mutex_unlock(&access->lock);
    return may ? 0 : too_many(r, a, wait_s, "too many sign-ins with this token or from this address", e);
}

bool access_sign_in(struct request *r, struct slice text, struct answer *a, struct token_row *out, struct err *e)
{
    struct access *access = r->server->access;
    bool found;
    if (!find_token(access, slice_trim(text), &r->arena, out, &found, e))
        return false;
    if (found)
        return !count(r, a, out, 1, e) && !count_sign_in(access, r, a, out, e);
    return !count_failure(access, r, a, e) &&
           err_set(e, ERR_UNAUTHENTICATED, "the token is not known here, has ended or was revoked");
}

/* ---- what they do ------------------------------------------------------------------------------------------------------ */

/* Numbers, words of the server's own and how many ids there were: what people wrote may hold what nobody is to read here. */
static struct slice detail_of(struct request *r)
{
    struct str text = STR_INIT(DETAIL_MAX);
    struct jsonw j = jsonw_to(&text);
    size_t n = 0;
    jsonw_object(&j);
    for (size_t i = 0; i < r->args.n; i++) {
        const struct arg *arg = &r->args.items[i];
        switch (arg->param->type) {
        case ARG_TEXT:
        case ARG_OBJECT:
        case ARG_ARRAY:
        case ARG_ANY:
        case ARG_FILTER:
            continue;
        case ARG_WORD:
            jsonw_kstr(&j, arg->param->name, arg->text);
            break;
        case ARG_NUMBER:
        case ARG_INT:
            jsonw_kraw(&j, arg->param->name, arg->text);
            break;
        case ARG_BOOL:
            jsonw_kbool(&j, arg->param->name, arg->number != 0);
            break;
        case ARG_LIST:
            jsonw_kint(&j, arg->param->name, (int64_t)arg->n);
            break;
        }
        n++;
    }
    jsonw_end(&j);
    struct slice detail = n && !text.full ? arena_dup(&r->arena, str_slice(&text)) : SLICE_NONE;
    str_free(&text);
    return detail;
}

static struct slice target_of(struct request *r)
{
    if (r->path[1].ptr)
        return arena_printf(&r->arena, "%.*s/%.*s", SLICE_ARG(slice_cut(r->path[0], 200)), SLICE_ARG(slice_cut(r->path[1], 200)));
    return slice_cut(r->path[0].ptr ? r->path[0] : arg_text(&r->args, "collection"), 200);
}

void access_act(struct request *r)
{
    struct who *who = &r->who;
    who->actor = (struct actor){
        .name = who->name,
        .token = who->token.id,
        .address = r->client.address,
        .bound = who->token.bound,
        .collections = who->token.keys,
        .ncollections = who->token.collections.n,
        .streams = r->route->streams,
    };
    if (writes(r)) {
        who->actor.action = arena_printf(&r->arena, "%s %s", r->route->method, r->route->path);
        who->actor.target = target_of(r);
        who->actor.detail = detail_of(r);
    }
    store_act_as(r->store, &who->actor);
}

void access_acted(struct request *r) { store_act_as(r->store, NULL); }

bool access_job(const struct request *r, const struct job_row *job, struct err *e)
{
    return r->who.scopes & MAY_READ || (job->token.ptr && slice_eq(job->token, r->who.token.id)) ||
           err_set(e, ERR_NOT_FOUND, "there is no job \"%.*s\"", SLICE_ARG(job->id));
}

bool access_everywhere(const struct request *r) { return r->who.scopes & MAY_ADMIN && !r->who.token.bound; }

/* ---- start and end ----------------------------------------------------------------------------------------------------- */

bool access_is_closed(const struct access *access) { return access->closed; }

static bool has_tokens(struct store *s, struct err *e)
{
    int64_t n;
    return store_tokens_usable(s, &n, e) &&
           (n || err_set(e, ERR_USAGE, "this server would ask for tokens, and there is none: make one with `telltale token create NAME --scope admin`,"
                                       " or let everybody who reaches it do everything with --insecure"));
}

bool access_open(const char *db, bool closed, struct access **out, struct err *e)
{
    struct access *access = calloc(1, sizeof *access);
    if (!access)
        return err_set(e, ERR_IO, "out of memory");
    *out = access;
    access->closed = closed;
    access->db = db;
    pthread_mutex_init(&access->loading, NULL);
    pthread_mutex_init(&access->asking, NULL);
    pthread_mutex_init(&access->lock, NULL);
    cond_init(&access->wake);
    if (!store_open(db, STORE_READ, &access->quotas, e))
        return false;
    if (!closed)
        return true;
    if (!store_open(db, STORE_READ, &access->store, e) || !has_tokens(access->store, e) || !load(access, e))
        return false;
    if (!store_key_is_private(access->store))
        log_warn("others on this machine can read the key of the tokens, %s.key: chmod 600 it", store_path(access->store));
    access->writing = pthread_create(&access->writer, NULL, keep_up, access) == 0;
    return access->writing || err_set(e, ERR_IO, "cannot start a thread");
}

void access_close(struct access *access)
{
    if (!access)
        return;
    pthread_mutex_lock(&access->lock);
    access->ending = true;
    pthread_cond_signal(&access->wake);
    pthread_mutex_unlock(&access->lock);
    if (access->writing)
        pthread_join(access->writer, NULL);
    passes_free(access->passes);
    store_close(access->store);
    store_close(access->quotas);
    pthread_cond_destroy(&access->wake);
    pthread_mutex_destroy(&access->loading);
    pthread_mutex_destroy(&access->asking);
    pthread_mutex_destroy(&access->lock);
    free(access);
}
