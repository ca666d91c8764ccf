#include "base/embed.h"
#include "ingest/ingest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool write_file(const char *path, struct slice bytes, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(e, "cannot write %s", path);
    size_t done = 0;
    while (done < bytes.len) {
        ssize_t n = write(fd, bytes.ptr + done, bytes.len - done);
        if (n <= 0) {
            err_errno(e, "cannot write %s", path);
            close(fd);
            return false;
        }
        done += (size_t)n;
    }
    return close(fd) == 0 || err_errno(e, "cannot write %s", path);
}

/* The transcripts are read from disk like any others, so that the sample goes the way of every import. */
static bool unpack(struct arena *a, const char *folder, struct source_files *files, struct err *e)
{
    static const char prefix[] = "sample/";
    for (size_t i = 0; i < embedded_file_count; i++) {
        const struct embedded *f = &embedded_files[i];
        if (strncmp(f->name, prefix, sizeof prefix - 1) != 0)
            continue;
        const char *path = arena_printf(a, "%s/%s", folder, f->name + sizeof prefix - 1).ptr;
        files->items = arena_grow(a, files->items, files->n, &files->cap, sizeof *files->items);
        files->items[files->n++] = (struct source_file){
            .path = path, .name = slice_str(f->name), .identity = arena_printf(a, "embedded:%s", f->name), .size = f->bytes.len};
        if (!write_file(path, f->bytes, e))
            return false;
    }
    return files->n || err_set(e, ERR_NOT_FOUND, "this program was built without the sample collection");
}

static bool find_or_add(const char *db, struct arena *a, struct collection_row *collection, struct err *e)
{
    struct store *store;
    if (!store_open(db, STORE_WRITE, &store, e))
        return false;
    const struct collection_row row = {
        .name = slice_str(INGEST_SAMPLE),
        .description = slice_str("Workbench, a small benchmark of command-line tasks written for Telltale: two models, several attempts a task."),
    };
    struct err why = {0};
    bool ok = store_collection(store, row.name, a, collection, &why);
    if (!ok)
        ok = why.code == ERR_NOT_FOUND ? store_collection_add(store, &row, a, collection, e) : (*e = why, false);
    store_close(store);
    return ok;
}

bool ingest_sample(const char *db, const struct ruleset *rules, struct arena *a, struct collection_row *collection, struct ingest_report *report,
                   struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    char *folder = arena_strdup(a, arena_printf(a, "%s/telltale-sample-XXXXXX", tmp && *tmp ? tmp : "/tmp"));
    if (!mkdtemp(folder))
        return err_errno(e, "cannot make a temporary folder %s", folder);
    struct source_files files = {0};
    bool ok = find_or_add(db, a, collection, e) && unpack(a, folder, &files, e);
    if (ok) {
        const struct ingest_options options = {.db = db, .collection = collection->id, .rules = rules, .replace = true};
        ok = ingest_files(&options, &files, a, report, e);
    }
    for (size_t i = 0; i < files.n; i++)
        unlink(files.items[i].path);
    rmdir(folder);
    return ok;
}
