#include "detect/pack.h"

#include "base/embed.h"
#include "base/str.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILE_MAX = 4 << 20, FOLDER_DEPTH = 8 };

static void add(struct arena *a, struct pack_files *files, struct pack_file file)
{
    files->items = arena_grow(a, files->items, files->n, &files->cap, sizeof *files->items);
    files->items[files->n++] = file;
    if (files->packs <= file.pack)
        files->packs = file.pack + 1;
}

static size_t next_pack(const struct pack_files *files) { return files->packs > PACK_SHIPPED ? files->packs : PACK_SHIPPED + 1; }

void pack_add_shipped(struct arena *a, struct pack_files *files, bool only_names)
{
    for (size_t i = 0; i < embedded_file_count; i++)
        if (slice_starts(slice_str(embedded_files[i].name), "rules/"))
            add(a, files, (struct pack_file){slice_str(embedded_files[i].name), embedded_files[i].bytes, PACK_SHIPPED, only_names, false});
}

void pack_add_text(struct arena *a, struct pack_files *files, struct slice name, struct slice text)
{
    add(a, files, (struct pack_file){name, text, next_pack(files), false, false});
}

bool pack_file_read(struct arena *a, const char *path, struct slice *out, struct err *e)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_errno(e, "%s", path);
    struct str text = STR_INIT(FILE_MAX);
    char piece[1 << 14];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0 && !text.full)
        str_add(&text, piece, n);
    bool good = !ferror(f) || err_errno(e, "%s", path);
    fclose(f);
    if (good && text.full)
        good = err_set(e, ERR_TOO_LARGE, "%s: a file of rules is at most %d MB", path, FILE_MAX >> 20);
    *out = arena_dup(a, str_slice(&text));
    str_free(&text);
    return good;
}

static int is_visible(const struct dirent *d) { return d->d_name[0] != '.'; }

static bool add_path(struct arena *a, struct pack_files *files, const char *path, size_t pack, int depth, struct err *e);

static bool add_folder(struct arena *a, struct pack_files *files, const char *path, size_t pack, int depth, struct err *e)
{
    if (depth == FOLDER_DEPTH)
        return err_set(e, ERR_TOO_LARGE, "%s: folders of rules are at most %d deep", path, FOLDER_DEPTH);
    struct dirent **names;
    int n = scandir(path, &names, is_visible, alphasort);
    if (n < 0)
        return err_errno(e, "%s", path);
    bool good = true;
    for (int i = 0; i < n; i++) {
        struct slice sub = arena_printf(a, "%s/%s", path, names[i]->d_name);
        struct stat st;
        bool there = stat(sub.ptr, &st) == 0;
        if (good && there &&
            (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && (slice_ends(sub, ".yaml") || slice_ends(sub, ".yml") || slice_ends(sub, ".json")))))
            good = add_path(a, files, sub.ptr, pack, depth + 1, e);
        free(names[i]);
    }
    free(names);
    return good;
}

static bool add_path(struct arena *a, struct pack_files *files, const char *path, size_t pack, int depth, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_errno(e, "%s", path);
    if (S_ISDIR(st.st_mode))
        return add_folder(a, files, path, pack, depth, e);
    struct slice text;
    if (!pack_file_read(a, path, &text, e))
        return false;
    add(a, files, (struct pack_file){arena_dup(a, slice_str(path)), text, pack, false, false});
    return true;
}

bool pack_add_path(struct arena *a, struct pack_files *files, const char *path, struct err *e)
{
    return add_path(a, files, path, next_pack(files), 0, e);
}
