/* The certificate and key that the server shows to clients, of which there is one pair in the process. */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "base/err.h"

/* TLS 1.2 and later, the server's order of ciphers. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

/* Reads the pair from PEM files: `cert_file` begins with the server's certificate, the ones that signed it may follow; the key has no password.
 * New connections get it from now on, the old ones keep theirs; on failure everything stays as it was. By one thread at a time. */
bool tls_load(const char *cert_file, const char *key_file, struct err *e);
/* The same files again, which a renewal has replaced; nothing to do without TLS. */
bool tls_reload(struct err *e);
/* What the HTTP library asks for the pair at each handshake: a gnutls_certificate_retrieve_function2. */
void *tls_callback(void);
/* When no connection is left. */
void tls_free(void);

#endif
