/* From what the user names to JSON values: files, folders, archives, stdin → one record at a time, in bounded memory. */
#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/slice.h"
#include "ingest/format.h"
#include "text/jread.h"

#include <stdatomic.h>
#include <stdint.h>

/* One file to read: a plain file on disk, perhaps compressed or an archive; or an archive's entry that was put into a temporary file. */
struct source_file {
    const char *path;      /* to open; NULL: it is a part of `fd` */
    struct slice name;     /* source.file: as people see it */
    struct slice identity; /* what its runs are known by; absent: its real path */
    const struct format *format; /* NULL: as the options say */
    uint64_t size;         /* bytes on disk */
    int64_t modified;      /* nanoseconds since 1970; 0: not known */
    bool unchanged;        /* since the caller's last import: it is read only with a file that it belongs to */
    int put_off;           /* how often in a row the caller left it out */
    int fd;                /* open, of several entries */
    uint64_t at;           /* where this one begins in it */
    bool has_companions, companion; /* by its name (companions.h) */
    atomic_bool *taken;    /* of a companion: it was read with its main file */
};

struct source_error { /* what a folder holds and cannot be looked at */
    struct slice name, message;
    enum err_code code;
};

struct source_files {
    struct source_file *items;
    size_t n, cap;
    struct source_file **sorted; /* by name: set by companions_mark(), as are these */
    struct companions_shared *shared; /* what the rules without {stem} name beside all main files of a folder … */
    size_t nshared, shared_cap;
    struct map shared_by;  /* … from 1, by format, rules and folder */
    struct source_error *errors;
    size_t nerrors, errors_cap;
};
/* Walks `path` (a file, or a folder recursively in name order; hidden entries are left out) and appends its files, names as the contract
 * says: the path as given, plus the path below it for a folder. What cannot be looked at below it goes to `errors`, and so do links
 * (ERR_NOT_TRANSCRIPT); false: `path` itself cannot. */
bool source_walk(struct arena *a, const char *path, struct source_files *out, struct err *e);

/* How many of the errors are of what is merely left out, and how many of what could not be read. */
void source_count_errors(const struct source_files *files, uint64_t *skipped, uint64_t *failed);

struct source_limits {
    uint64_t value_bytes;    /* one JSON value: default 512 MiB */
    uint64_t unpacked_bytes; /* one archive or compressed file unpacked: default 64 GiB */
    uint32_t unpacked_ratio; /* unpacked / packed over the first 64 MiB and after: default 1000 */
    uint32_t members;        /* entries of one archive: default 1,000,000 */
    const atomic_bool *cancel; /* ends the reading between two pieces; may be NULL */
    atomic_uint_fast64_t *seen; /* bytes on disk are added as they are read; may be NULL */
};
extern const struct source_limits source_limits_default;
/* False with ERR_CANCELLED where `cancel` says so. */
bool source_goes_on(const struct source_limits *limits, struct err *e);

/* The bytes of a file as they are, from the beginning. */
struct source_input {
    int fd;
    bool opened;           /* here: to be closed */
    uint64_t at, left;
    const struct source_limits *limits;
};
bool source_open(const struct source_file *file, const struct source_limits *limits, struct source_input *in, struct err *e);
/* As split_input wants it: up to `room` bytes, *n 0 at the end. */
bool source_input_read(void *in, char *into, size_t room, size_t *n, struct err *e);
void source_input_close(struct source_input *in);

/* What a file's bytes are known by: their BLAKE2b hash. */
bool source_hash(const struct source_file *file, const struct source_limits *limits, unsigned char out[HASH_SIZE], struct err *e);

enum source_outcome { SOURCE_READ, SOURCE_SKIPPED /* no transcript */, SOURCE_FAILED /* could not be read to its end */ };

struct source_report {
    enum source_outcome outcome;
    const struct format *format; /* NULL where skipped or of several members */
    uint64_t bytes;              /* unpacked bytes looked at */
    struct jrepairs repairs;
};

struct source_options {
    const struct format *format;       /* NULL: recognised from content */
    struct slice map;                  /* columns of a table, as fmt_csv reads it; absent: none */
    const struct source_limits *limits;
    const struct source_files *files;  /* among which companions are found (companions_mark() was called); NULL: none */
};

/* Reads one file to its end: unpacks (gzip, zstd, zip, tar by content), cuts into records, recognises (or takes the format that is
 * asked for), and feeds the format, whose runs go to `sink`. Runs carry source.file/location/format. A file that is no transcript is
 * SKIPPED with `e` saying what it looks like; a damaged one FAILED with the place, and what was read before it was delivered.
 * False only where the sink stopped the reading (e from the sink), or the limits' `cancel` (ERR_CANCELLED). */
bool source_read(const struct source_file *file, const struct source_options *options, const struct sink *sink, struct source_report *report,
                 struct err *e);

#endif
