#include "ingest/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BLOCK = 1 << 18,
    RATIO_FROM = 64 << 20, /* bytes unpacked before the ratio counts: small files may shrink as much as they like */
};

struct unpack {
    struct archive *archive;
    const struct source_limits *limits;
    uint64_t packed, unpacked, seen; /* seen: of the packed bytes */
    const char *block;     /* of the entry: what was unpacked and not taken yet */
    size_t left;
    uint32_t members;
    bool open;             /* an entry may have bytes that were not read */
    bool over;             /* a limit was passed: nothing more is read */
    struct err why;
};

static const struct {
    struct magic magic;
    size_t at;
    struct slice bytes;
} magics[] = {
    {{"a zip archive", true}, 0, SLICE_LIT("PK\3\4")},
    {{"an empty zip archive", true}, 0, SLICE_LIT("PK\5\6")},
    {{"a zip archive", true}, 0, SLICE_LIT("PK\7\10")},
    {{"gzip", true}, 0, SLICE_LIT("\x1f\x8b")},
    {{"zstd", true}, 0, SLICE_LIT("\x28\xb5\x2f\xfd")},
    {{"bzip2", true}, 0, SLICE_LIT("BZh")},
    {{"xz", true}, 0, SLICE_LIT("\xfd" "7zXZ\0")},
    {{"a tar archive", true}, 257, SLICE_LIT("ustar")},
    {{"a 7z archive, which is not unpacked", false}, 0, SLICE_LIT("7z\xbc\xaf\x27\x1c")},
    {{"a RAR archive, which is not unpacked", false}, 0, SLICE_LIT("Rar!\x1a\x07")},
    {{"an SQLite database", false}, 0, SLICE_LIT("SQLite format 3\0")},
    {{"a Parquet file", false}, 0, SLICE_LIT("PAR1")},
    {{"an Arrow file", false}, 0, SLICE_LIT("ARROW1")},
    {{"an HDF5 file", false}, 0, SLICE_LIT("\x89HDF\r\n\x1a\n")},
    {{"a NumPy array", false}, 0, SLICE_LIT("\x93NUMPY")},
    {{"a Python pickle", false}, 0, SLICE_LIT("\x80\x04\x95")},
    {{"a PNG image", false}, 0, SLICE_LIT("\x89PNG\r\n\x1a\n")},
    {{"a JPEG image", false}, 0, SLICE_LIT("\xff\xd8\xff")},
    {{"a GIF image", false}, 0, SLICE_LIT("GIF8")},
    {{"a WebP image", false}, 8, SLICE_LIT("WEBP")},
    {{"a PDF document", false}, 0, SLICE_LIT("%PDF-")},
    {{"a program", false}, 0, SLICE_LIT("\x7f" "ELF")},
    {{"a font", false}, 0, SLICE_LIT("wOF")},
    {{"UTF-16 text; save it as UTF-8", false}, 0, SLICE_LIT("\xff\xfe")},
    {{"UTF-16 text; save it as UTF-8", false}, 0, SLICE_LIT("\xfe\xff")},
};

const struct magic *magic_find(struct slice head)
{
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (slice_eq(slice_sub(head, magics[i].at, magics[i].bytes.len), magics[i].bytes))
            return &magics[i].magic;
    return NULL;
}

/* The library's own words, without an absent one. */
static const char *words(struct archive *a)
{
    const char *text = archive_error_string(a);
    return text ? text : "no reason given";
}

bool unpack_open(const char *path, uint64_t packed, const struct source_limits *limits, struct unpack **out, struct err *e)
{
    struct archive *a = archive_read_new();
    if (!a)
        abort();
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    archive_read_support_format_zip(a);
    archive_read_support_format_tar(a);
    archive_read_support_format_raw(a);
    archive_read_support_format_empty(a);
    if (archive_read_open_filename(a, path, BLOCK) < ARCHIVE_WARN) {
        err_set(e, ERR_FORMAT, "cannot be unpacked: %s", words(a));
        archive_read_free(a);
        return false;
    }
    struct unpack *u = calloc(1, sizeof *u);
    if (!u)
        abort();
    *u = (struct unpack){.archive = a, .limits = limits, .packed = packed};
    *out = u;
    return true;
}

void unpack_close(struct unpack *u)
{
    if (!u)
        return;
    archive_read_free(u->archive);
    free(u);
}

static struct slice entry_name(struct archive_entry *entry)
{
    const char *name = archive_entry_pathname_utf8(entry);
    if (!name)
        name = archive_entry_pathname(entry);
    return slice_str(name ? name : "an entry without a readable name");
}

static bool over_limit(struct unpack *u, struct err *e)
{
    const struct source_limits *l = u->limits;
    if (u->unpacked > l->unpacked_bytes)
        err_set(&u->why, ERR_TOO_LARGE, "unpacks to more than %llu bytes", (unsigned long long)l->unpacked_bytes);
    else if (u->unpacked >= RATIO_FROM && u->unpacked / l->unpacked_ratio > u->packed)
        err_set(&u->why, ERR_TOO_LARGE, "unpacks to more than %u times its size, as a zip bomb does", l->unpacked_ratio);
    else
        return false;
    u->over = true;
    *e = u->why;
    return true;
}

/* For whoever watches the progress. */
static void tell_seen(struct unpack *u)
{
    la_int64_t now = archive_filter_bytes(u->archive, -1);
    if (u->limits->seen && now > 0 && (uint64_t)now > u->seen) {
        atomic_fetch_add(u->limits->seen, (uint64_t)now - u->seen);
        u->seen = (uint64_t)now;
    }
}

bool unpack_read(void *ctx, char *into, size_t room, size_t *n, struct err *e)
{
    struct unpack *u = ctx;
    while (!u->left) {
        const void *block;
        size_t size;
        la_int64_t offset; /* of sparse files in a tar: their holes are left out */
        if (!source_goes_on(u->limits, e))
            return false;
        const int got = archive_read_data_block(u->archive, &block, &size, &offset);
        if (got == ARCHIVE_RETRY)
            continue;
        if (got == ARCHIVE_EOF)
            break;
        if (got != ARCHIVE_OK)
            return err_set(e, ERR_FORMAT, "cannot be unpacked: %s", words(u->archive));
        u->block = block;
        u->left = size;
        u->unpacked += size;
        tell_seen(u);
        if (over_limit(u, e))
            return false;
    }
    *n = u->left < room ? u->left : room;
    if (*n) {
        memcpy(into, u->block, *n);
        u->block += *n;
        u->left -= *n;
    }
    return true;
}

/* A zip that is not packed itself is skipped through by its directory; skipping anything else is unpacking too. */
static bool has_directory(const struct unpack *u) { return unpack_zip(u) && archive_filter_count(u->archive) == 1; }

/* What is left of an entry, through the limits. */
static bool drain(struct unpack *u, struct err *e)
{
    char piece[1 << 14];
    size_t n = 1;
    while (u->open && n && !has_directory(u))
        if (!unpack_read(u, piece, sizeof piece, &n, e))
            return false;
    u->open = false;
    return true;
}

bool unpack_next(struct unpack *u, struct slice *name, bool *more, struct err *e)
{
    *more = false;
    if (!source_goes_on(u->limits, e) || !drain(u, e))
        return false;
    for (;;) {
        if (u->over) {
            *e = u->why;
            return false;
        }
        struct archive_entry *entry;
        int got = archive_read_next_header(u->archive, &entry);
        if (got == ARCHIVE_EOF)
            return true;
        if (got == ARCHIVE_RETRY)
            continue;
        if (got < ARCHIVE_WARN)
            return err_set(e, ERR_FORMAT, "the archive is damaged or cut short: %s", words(u->archive));
        if (++u->members > u->limits->members)
            return err_set(e, ERR_TOO_LARGE, "the archive has more than %u entries", u->limits->members);
        u->open = true;
        u->left = 0;
        if (archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry)) {
            *name = entry_name(entry);
            return *more = true;
        }
        if (!drain(u, e)) /* a link of a tar may have a body too: skipping it would unpack it past all limits */
            return false;
    }
}

bool unpack_single(const struct unpack *u) { return archive_format(u->archive) == ARCHIVE_FORMAT_RAW; }

bool unpack_zip(const struct unpack *u) { return (archive_format(u->archive) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP; }

/* ---- the other way ------------------------------------------------------------------------------------------------------ */

/* A path as UTF-8, which is what a tar's names are: of one that is none, the bytes that are not ASCII are written \xNN. */
static const char *path_utf8(struct arena *a, const char *path)
{
    struct jrepairs repairs = {0};
    jstring(a, slice_str(path), &repairs);
    if (!repairs.count[JREPAIR_UTF8])
        return path;
    struct str out = STR_INIT(1 << 16);
    for (; *path; path++) {
        if ((unsigned char)*path < 0x80)
            str_addc(&out, *path);
        else
            str_printf(&out, "\\x%02x", (unsigned char)*path);
    }
    path = arena_dup(a, str_slice(&out)).ptr;
    str_free(&out);
    return path;
}

struct packing {
    struct archive *out;
    char *piece;
    void (*failed)(void *ctx, const struct source_file *file, const struct err *why);
    void *ctx;
};

enum { PIECE = 1 << 18 };

static bool write_header(struct packing *p, const struct source_file *file, struct err *e)
{
    struct arena a = {0};
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        abort();
    archive_entry_set_pathname_utf8(entry, path_utf8(&a, file->path));
    archive_entry_set_size(entry, (la_int64_t)file->size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    bool ok = archive_write_header(p->out, entry) == ARCHIVE_OK || err_set(e, ERR_IO, "cannot pack %s: %s", file->path, words(p->out));
    archive_entry_free(entry);
    arena_free(&a);
    return ok;
}

/* One that grows meanwhile is cut where it ended when it was listed, one that shrinks is filled with zeros. */
static bool pack_one(struct packing *p, const struct source_file *file, struct err *e)
{
    const struct source_limits limits = {.cancel = NULL};
    struct source_input in;
    struct err why = {0};
    uint64_t left = file->size;
    size_t n = 1;
    bool opened = source_open(file, &limits, &in, &why), ok = !opened || write_header(p, file, e), reads = opened;
    while (ok && reads && left && n) {
        reads = source_input_read(&in, p->piece, left < PIECE ? left : PIECE, &n, &why);
        if (reads)
            ok = archive_write_data(p->out, p->piece, n) == (la_ssize_t)n || err_set(e, ERR_IO, "cannot pack %s: %s", file->path, words(p->out));
        left -= reads ? n : 0;
    }
    if (!reads)
        p->failed(p->ctx, file, &why);
    source_input_close(&in);
    return ok;
}

bool archive_pack(const struct source_file *const files[], size_t n, int fd,
                  void (*failed)(void *ctx, const struct source_file *file, const struct err *why), void *ctx, struct err *e)
{
    struct packing p = {.out = archive_write_new(), .piece = malloc(PIECE), .failed = failed, .ctx = ctx};
    if (!p.out || !p.piece)
        abort();
    archive_write_set_format_pax_restricted(p.out);
    bool ok = archive_write_open_fd(p.out, fd) == ARCHIVE_OK || err_set(e, ERR_IO, "cannot pack: %s", words(p.out));
    for (size_t i = 0; i < n && ok; i++)
        ok = pack_one(&p, files[i], e);
    ok = (archive_write_close(p.out) == ARCHIVE_OK || (ok && err_set(e, ERR_IO, "cannot pack: %s", words(p.out)))) && ok;
    archive_write_free(p.out);
    free(p.piece);
    return ok;
}
