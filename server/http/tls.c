#include "http/tls.h"

#include "base/clock.h"
#include "base/log.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CHAIN = 16,
    ID = 64,
    KEPT_S = 300, /* a handshake is over within seconds (watch.h), and within a minute for the library; then nobody reads the pair any more */
};

struct pair {
    gnutls_pcert_st certs[CHAIN];
    unsigned ncerts;
    gnutls_privkey_t key;
    char *cert_file, *key_file;
    int64_t replaced_at; /* clock_monotonic_us() */
    struct pair *before; /* a handshake may still read the one that was replaced: it is kept a while */
};

static _Atomic(struct pair *) current;

static void free_pair(struct pair *p)
{
    for (unsigned i = 0; i < p->ncerts; i++)
        gnutls_pcert_deinit(&p->certs[i]);
    if (p->key)
        gnutls_privkey_deinit(p->key);
    free(p->cert_file);
    free(p->key_file);
    free(p);
}

static bool read_certs(struct pair *p, const char *file, struct err *e)
{
    gnutls_datum_t pem = {0};
    unsigned n = CHAIN;
    int code = gnutls_load_file(file, &pem);
    if (code < 0)
        return err_errno(e, "cannot read the certificate %s", file);
    code = gnutls_pcert_list_import_x509_raw(p->certs, &n, &pem, GNUTLS_X509_FMT_PEM, 0);
    gnutls_free(pem.data);
    if (code == GNUTLS_E_SHORT_MEMORY_BUFFER)
        return err_set(e, ERR_FORMAT, "%s holds more than %d certificates", file, CHAIN);
    if (code < 0)
        return err_set(e, ERR_FORMAT, "%s is no certificate in PEM form", file);
    p->ncerts = n;
    return n || err_set(e, ERR_FORMAT, "%s holds no certificate", file);
}

static bool read_key(struct pair *p, const char *file, struct err *e)
{
    gnutls_datum_t pem = {0};
    int code = gnutls_load_file(file, &pem);
    if (code < 0)
        return err_errno(e, "cannot read the key %s", file);
    code = gnutls_privkey_init(&p->key);
    if (code >= 0)
        code = gnutls_privkey_import_x509_raw(p->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return code >= 0 || err_set(e, ERR_FORMAT, "%s is no private key in PEM form without a password", file);
}

/* Is the key the one of the first certificate? */
static bool fit(const struct pair *p)
{
    unsigned char ids[2][ID];
    size_t sizes[2] = {ID, ID};
    gnutls_pubkey_t own;
    if (gnutls_pubkey_init(&own) < 0)
        return false;
    bool ok = gnutls_pubkey_import_privkey(own, p->key, 0, 0) >= 0 && gnutls_pubkey_get_key_id(own, 0, ids[0], &sizes[0]) >= 0 &&
              gnutls_pubkey_get_key_id(p->certs[0].pubkey, 0, ids[1], &sizes[1]) >= 0;
    gnutls_pubkey_deinit(own);
    return ok && sizes[0] == sizes[1] && memcmp(ids[0], ids[1], sizes[0]) == 0;
}

static void warn_when_expired(const struct pair *p, const char *file)
{
    gnutls_x509_crt_t cert;
    if (gnutls_x509_crt_init(&cert) < 0)
        return;
    if (gnutls_x509_crt_import(cert, &p->certs[0].cert, GNUTLS_X509_FMT_DER) >= 0 && gnutls_x509_crt_get_expiration_time(cert) < time(NULL))
        log_warn("the certificate %s has expired: clients will refuse it", file);
    gnutls_x509_crt_deinit(cert);
}

static void free_chain(struct pair *p)
{
    while (p) {
        struct pair *before = p->before;
        free_pair(p);
        p = before;
    }
}

/* Newer ones were replaced later. */
static void forget_old(struct pair *p)
{
    int64_t since = clock_monotonic_us() - KEPT_S * INT64_C(1000000);
    while (p->before && p->before->replaced_at > since)
        p = p->before;
    free_chain(p->before);
    p->before = NULL;
}

bool tls_load(const char *cert_file, const char *key_file, struct err *e)
{
    struct pair *p = calloc(1, sizeof *p);
    if (!p || !(p->cert_file = strdup(cert_file)) || !(p->key_file = strdup(key_file))) {
        if (p)
            free_pair(p);
        return err_set(e, ERR_IO, "out of memory");
    }
    bool ok = read_certs(p, cert_file, e) && read_key(p, key_file, e) &&
              (fit(p) || err_set(e, ERR_FORMAT, "%s is not the key of the certificate %s", key_file, cert_file));
    if (!ok) {
        free_pair(p);
        return false;
    }
    warn_when_expired(p, cert_file);
    p->before = atomic_load(&current);
    if (p->before)
        p->before->replaced_at = clock_monotonic_us();
    atomic_store(&current, p);
    forget_old(p);
    return true;
}

bool tls_reload(struct err *e)
{
    const struct pair *p = atomic_load(&current);
    return !p || tls_load(p->cert_file, p->key_file, e);
}

static gnutls_certificate_retrieve_function2 show_pair;

static int show_pair(gnutls_session_t session, const gnutls_datum_t *names, int nnames, const gnutls_pk_algorithm_t *algorithms, int nalgorithms,
                     gnutls_pcert_st **certs, unsigned *ncerts, gnutls_privkey_t *key)
{
    struct pair *p = atomic_load(&current);
    (void)session, (void)names, (void)nnames, (void)algorithms, (void)nalgorithms;
    *certs = p->certs;
    *ncerts = p->ncerts;
    *key = p->key;
    return 0;
}

void *tls_callback(void) { return (void *)show_pair; }

void tls_free(void) { free_chain(atomic_exchange(&current, NULL)); }
