/* Names made from content. BLAKE2b and SHA-256 as libsodium has them. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { HASH_SIZE = 16, SHA256_SIZE = 32, UUID_TEXT = 36 };

struct hash { /* incremental 128-bit BLAKE2b */
    unsigned char state[384] __attribute__((aligned(64)));
    unsigned char small[256]; /* pieces that wait for each other: the library is slow on a few bytes at a time */
    size_t n;
};
void hash_start(struct hash *h);
void hash_add(struct hash *h, struct slice s);
/* Adds the length first, so that ("ab","c") and ("a","bc") differ. */
void hash_add_framed(struct hash *h, struct slice s);
void hash_end(struct hash *h, unsigned char out[HASH_SIZE]);
void hash_of(struct slice s, unsigned char out[HASH_SIZE]);
/* SipHash under a key of this process's own: for tables in memory, which no input can make slow. */
uint64_t hash_short(struct slice s);
void sha256_of(struct slice s, unsigned char out[SHA256_SIZE]);
/* Lower-case hexadecimal with a NUL: 2 * n + 1 bytes. */
void hash_hex(const unsigned char *bytes, size_t n, char *out);
/* Back again; false where `hex` is not 2 * n digits. */
bool hash_unhex(struct slice hex, unsigned char *out, size_t n);

/* Secrets: random bytes, a hash under a key (BLAKE2b), and a comparison that takes the same time wherever they differ. */
enum { SECRET_SIZE = 32 };
void secret_random(unsigned char out[SECRET_SIZE]);
void secret_hash(const unsigned char key[SECRET_SIZE], struct slice text, unsigned char out[SECRET_SIZE]);
bool secret_same(const unsigned char a[SECRET_SIZE], const unsigned char b[SECRET_SIZE]);

/* HMAC-SHA256 (RFC 2104), of a key of 32 bytes. */
void hmac_sha256(const unsigned char key[SECRET_SIZE], struct slice text, unsigned char out[SHA256_SIZE]);

/* A random UUID (version 4), and one made from 16 bytes (version 8, RFC 9562): 36 characters and a NUL. */
void uuid_random(char out[UUID_TEXT + 1]);
void uuid_from(const unsigned char bytes[HASH_SIZE], char out[UUID_TEXT + 1]);
/* True for 8-4-4-4-12 hexadecimal digits, of any version. */
bool uuid_valid(struct slice s);

#endif
