/* The texts of rules: the shipped pack, and files and folders of the user's. */
#ifndef DETECT_PACK_H
#define DETECT_PACK_H

#include "base/arena.h"
#include "base/err.h"

enum { PACK_SHIPPED = 0 };
struct pack_file {
    struct slice name, text;
    size_t pack;            /* files of one number share their lists and macros; those of the shipped pack are seen by all */
    bool only_names;        /* its rules are left out */
    bool passing;           /* it does not outlive the making of a set, which keeps a copy */
};
struct pack_files {
    struct pack_file *items;
    size_t n, cap, packs;
};

/* What the program carries. */
void pack_add_shipped(struct arena *a, struct pack_files *files, bool only_names);
/* One more pack: a file, or a folder with all *.yaml, *.yml and *.json below it. False where it cannot be read. */
bool pack_add_path(struct arena *a, struct pack_files *files, const char *path, struct err *e);
void pack_add_text(struct arena *a, struct pack_files *files, struct slice name, struct slice text);
/* A whole file, at most 4 MB of it. */
bool pack_file_read(struct arena *a, const char *path, struct slice *out, struct err *e);

#endif
