#include "base/hash.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(sizeof(struct hash) >= sizeof(crypto_generichash_state), "struct hash holds libsodium's state");

static crypto_generichash_state *state_of(struct hash *h) { return (crypto_generichash_state *)(void *)h->state; }

static unsigned char short_key[crypto_shorthash_KEYBYTES];

static void start(void)
{
    if (sodium_init() < 0) {
        fprintf(stderr, "telltale: libsodium cannot be used here\n");
        abort();
    }
    crypto_shorthash_keygen(short_key);
}

/* sodium_init() takes a lock each time it is asked. */
static void ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
}

uint64_t hash_short(struct slice s)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t hash;
    ready();
    crypto_shorthash(out, (const unsigned char *)s.ptr, s.len, short_key);
    memcpy(&hash, out, sizeof hash);
    return hash;
}

void hash_start(struct hash *h)
{
    ready();
    crypto_generichash_init(state_of(h), NULL, 0, HASH_SIZE);
    h->n = 0;
}

static void flush(struct hash *h)
{
    crypto_generichash_update(state_of(h), h->small, h->n);
    h->n = 0;
}

void hash_add(struct hash *h, struct slice s)
{
    if (h->n + s.len > sizeof h->small)
        flush(h);
    if (s.len > sizeof h->small) {
        crypto_generichash_update(state_of(h), (const unsigned char *)s.ptr, s.len);
    } else if (s.len) {
        memcpy(h->small + h->n, s.ptr, s.len);
        h->n += s.len;
    }
}

void hash_add_framed(struct hash *h, struct slice s)
{
    /* An absent slice differs from an empty one. */
    uint64_t len = s.ptr ? s.len : UINT64_MAX;
    hash_add(h, slice_of((const char *)&len, sizeof len));
    if (s.ptr)
        hash_add(h, s);
}

void hash_end(struct hash *h, unsigned char out[HASH_SIZE])
{
    flush(h);
    crypto_generichash_final(state_of(h), out, HASH_SIZE);
}

void hash_of(struct slice s, unsigned char out[HASH_SIZE])
{
    ready();
    crypto_generichash(out, HASH_SIZE, (const unsigned char *)s.ptr, s.len, NULL, 0);
}

void sha256_of(struct slice s, unsigned char out[SHA256_SIZE])
{
    ready();
    crypto_hash_sha256(out, (const unsigned char *)s.ptr, s.len);
}

void secret_random(unsigned char out[SECRET_SIZE])
{
    ready();
    randombytes_buf(out, SECRET_SIZE);
}

void secret_hash(const unsigned char key[SECRET_SIZE], struct slice text, unsigned char out[SECRET_SIZE])
{
    ready();
    crypto_generichash(out, SECRET_SIZE, (const unsigned char *)text.ptr, text.len, key, SECRET_SIZE);
}

bool secret_same(const unsigned char a[SECRET_SIZE], const unsigned char b[SECRET_SIZE]) { return sodium_memcmp(a, b, SECRET_SIZE) == 0; }

void hmac_sha256(const unsigned char key[SECRET_SIZE], struct slice text, unsigned char out[SHA256_SIZE])
{
    ready();
    crypto_auth_hmacsha256(out, (const unsigned char *)text.ptr, text.len, key);
}

void hash_hex(const unsigned char *bytes, size_t n, char *out) { sodium_bin2hex(out, 2 * n + 1, bytes, n); }

bool hash_unhex(struct slice hex, unsigned char *out, size_t n)
{
    size_t read;
    return hex.ptr && hex.len == 2 * n && sodium_hex2bin(out, n, hex.ptr, hex.len, NULL, &read, NULL) == 0 && read == n;
}

static void uuid_text(unsigned char bytes[HASH_SIZE], unsigned version, char out[UUID_TEXT + 1])
{
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | version << 4);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    char hex[2 * HASH_SIZE + 1];
    hash_hex(bytes, HASH_SIZE, hex);
    snprintf(out, UUID_TEXT + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

void uuid_random(char out[UUID_TEXT + 1])
{
    ready();
    unsigned char bytes[HASH_SIZE];
    randombytes_buf(bytes, sizeof bytes);
    uuid_text(bytes, 4, out);
}

void uuid_from(const unsigned char bytes[HASH_SIZE], char out[UUID_TEXT + 1])
{
    unsigned char copy[HASH_SIZE];
    memcpy(copy, bytes, sizeof copy);
    uuid_text(copy, 8, out);
}

bool uuid_valid(struct slice s)
{
    if (s.len != UUID_TEXT)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return true;
}
