#include "cli/cli.h"
#include "view/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_to(void *ctx, struct slice bytes, struct err *e)
{
    FILE *out = ctx;
    if (atomic_load(&cli_stop))
        return err_set(e, ERR_CANCELLED, "the export was cancelled");
    return fwrite(bytes.ptr, 1, bytes.len, out) == bytes.len || err_errno(e, "cannot write the export");
}

static const struct export_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < export_kind_count; i++)
        if (strcmp(export_kinds[i].name, name) == 0)
            return &export_kinds[i];
    return NULL;
}

static bool write_all(struct store *store, const struct filter *filter, const struct export_kind *kind, FILE *out, struct err *e)
{
    const struct export_sink sink = {.write = write_to, .ctx = out};
    return kind->write(store, filter, &sink, e) && (fflush(out) == 0 || err_errno(e, "cannot write the export"));
}

/* A file appears under its name only when it is whole and on the disk. */
static bool write_file(struct cli *cli, struct store *store, const struct filter *filter, const struct export_kind *kind, const char *to, struct err *e)
{
    struct stat st;
    if (stat(to, &st) == 0 && !S_ISREG(st.st_mode)) { /* a pipe or device is written into, never replaced */
        FILE *there = fopen(to, "we");
        bool written = there ? write_all(store, filter, kind, there, e) : err_errno(e, "cannot write %s", to);
        return (there && fclose(there) != 0 && written) ? err_errno(e, "cannot write %s", to) : written;
    }
    char *real = realpath(to, NULL); /* what a link names is replaced, not the link */
    if (real)
        to = arena_strdup(&cli->arena, slice_str(real));
    free(real);
    const char *part = arena_printf(&cli->arena, "%s.part", to).ptr;
    FILE *out = fopen(part, "we");
    if (!out)
        return err_errno(e, "cannot write %s", part);
    bool ok = write_all(store, filter, kind, out, e) && (fsync(fileno(out)) == 0 || err_errno(e, "cannot write %s", part));
    fclose(out);
    ok = ok && (rename(part, to) == 0 || err_errno(e, "cannot name the export %s", to));
    if (!ok)
        unlink(part);
    return ok;
}

int cmd_export(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct collection_row collection;
    const char *as = cli_option(cli, "as"), *to = cli_option(cli, "to");
    const struct export_kind *kind = find_kind(as ? as : "native");
    if (!kind) {
        err_set(&e, ERR_USAGE, "--as is native, csv or html, not '%s'", as);
        return cli_fail(&e);
    }
    struct filter filter;
    bool ok = cli_open(cli, STORE_READ, &store, &e) && cli_collection(cli, store, &collection, &e) && cli_filter(cli, collection.id, &filter, &e);
    ok = ok && (to ? write_file(cli, store, &filter, kind, to, &e) : write_all(store, &filter, kind, stdout, &e));
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}
