#include "ingest/companions.h"

#include <stdlib.h>

/* ---- names ------------------------------------------------------------------------------------------------------------- */

/* Does `name` match, % standing for any run of characters but a slash? */
static bool matches(struct slice pattern, struct slice name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, from = 0;
    while (n < name.len) {
        if (p < pattern.len && pattern.ptr[p] == '%') {
            star = p++;
            from = n;
        } else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX && name.ptr[from] != '/') {
            p = star + 1;
            n = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '%')
        p++;
    return p == pattern.len;
}

/* The part of a main file's name that its rule speaks of: the last names, as many as the rule has. Absent: the path has fewer. */
static struct slice tail(struct slice name, const char *main)
{
    size_t slashes = 0, from = name.len;
    for (const char *p = main; *p; p++)
        slashes += *p == '/';
    while (from && (name.ptr[from - 1] != '/' || slashes--))
        from--;
    return slice_sub(name, from, name.len);
}

static struct slice stem(struct slice name)
{
    struct slice last = tail(name, "");
    size_t end = last.len;
    while (end && last.ptr[end - 1] != '.')
        end--;
    return end > 1 ? slice_sub(last, 0, end - 1) : last;
}

/* What a rule looks for beside one main file: names that begin with `prefix` as it stands, and go on as `rest` says. */
struct sought {
    struct slice prefix, rest;
};

static struct sought sought_by(struct arena *a, struct slice folder, const char *beside, struct slice main)
{
    struct slice pattern = slice_str(beside), mark = slice_str("{stem}"), name = SLICE_NONE, before = SLICE_NONE;
    ptrdiff_t at = slice_find(pattern, mark);
    if (at >= 0) {
        name = stem(main);
        before = slice_sub(pattern, 0, (size_t)at);
        pattern = slice_sub(pattern, (size_t)at + mark.len, pattern.len);
    }
    ptrdiff_t wild = slice_find(pattern, slice_str("%"));
    struct slice plain = slice_sub(pattern, 0, wild < 0 ? pattern.len : (size_t)wild);
    return (struct sought){arena_printf(a, "%.*s%.*s%.*s%.*s", SLICE_ARG(folder), SLICE_ARG(before), SLICE_ARG(name), SLICE_ARG(plain)),
                           slice_sub(pattern, plain.len, pattern.len)};
}

/* ---- files by name ----------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return slice_cmp((*(struct source_file *const *)a)->name, (*(struct source_file *const *)b)->name);
}

/* The first of the sorted files whose name is not before `name`. */
static size_t first_from(const struct source_files *files, struct slice name)
{
    size_t low = 0, high = files->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_cmp(files->sorted[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The files that are sought, in order, one call at a time: *at begins at 0. NULL: no more. */
static struct source_file *next_beside(const struct source_files *files, const struct sought *sought, const struct source_file *main, size_t *at)
{
    struct slice prefix = sought->prefix;
    if (!*at)
        *at = first_from(files, prefix) + 1;
    for (; *at <= files->n; ++*at) {
        struct source_file *file = files->sorted[*at - 1];
        if (!slice_eq(slice_sub(file->name, 0, prefix.len), prefix))
            return NULL;
        if (file != main && matches(sought->rest, slice_sub(file->name, prefix.len, file->name.len)))
            return ++*at, file;
    }
    return NULL;
}

/* The part of the file's name that a main file of this rule has, and the folder that it starts in. False: it is no such file. */
static bool is_main(const struct companion_rule *rule, const struct source_file *file, struct slice *folder)
{
    struct slice own = tail(file->name, rule->main);
    if (!matches(slice_str(rule->main), own) || (!strstr(rule->beside, "{stem}") && matches(slice_str(rule->beside), own)))
        return false;
    *folder = slice_sub(file->name, 0, file->name.len - own.len);
    return true;
}

/* Of a format's rules, as bits, those by which a file is a main file: they start in the same folder. */
struct rules {
    unsigned own, shared;  /* with {stem}, and without: those name the same files for each main file of a folder */
    struct slice folder;
};

static struct rules rules_of(const struct format *format, const struct source_file *main)
{
    struct rules rules = {0};
    const struct companion_rule *rule = format->companions;
    for (unsigned bit = 1; rule && rule->main; rule++, bit <<= 1)
        if (is_main(rule, main, &rules.folder))
            *(strstr(rule->beside, "{stem}") ? &rules.own : &rules.shared) |= bit;
    return rules;
}

/* ---- files beside ------------------------------------------------------------------------------------------------------ */

struct list {
    struct slice *paths;   /* from the folder on, sorted */
    struct source_file **files;
    size_t n;
};

struct companions_shared {
    struct list list;
    enum { NOT_LOOKED_AT, UNCHANGED, CHANGED } changed;
};

struct found {
    struct slice path;
    struct source_file *file;
};

static int by_path(const void *a, const void *b) { return slice_cmp(((const struct found *)a)->path, ((const struct found *)b)->path); }

/* What some of a format's rules name beside a main file. */
static struct list list_of(struct arena *a, const struct source_files *files, const struct format *format, unsigned bits, struct slice folder,
                           const struct source_file *main)
{
    struct found *found = NULL;
    struct list list = {0};
    size_t cap = 0;
    for (const struct companion_rule *rule = format->companions; bits; rule++, bits >>= 1) {
        if (!(bits & 1))
            continue;
        struct sought sought = sought_by(a, folder, rule->beside, main->name);
        size_t at = 0;
        for (struct source_file *file; (file = next_beside(files, &sought, main, &at)) != NULL;) {
            found = arena_grow(a, found, list.n, &cap, sizeof *found);
            found[list.n++] = (struct found){slice_sub(file->name, folder.len, file->name.len), file};
        }
    }
    if (list.n)
        qsort(found, list.n, sizeof *found, by_path);
    list.paths = arena_array(a, struct slice, list.n);
    list.files = arena_array(a, struct source_file *, list.n);
    for (size_t i = 0; i < list.n; i++) {
        list.paths[i] = found[i].path;
        list.files[i] = found[i].file;
    }
    return list;
}

static struct slice shared_key(struct arena *a, const struct format *format, const struct rules *rules)
{
    return arena_printf(a, "%s %x %.*s", format->name, rules->shared, SLICE_ARG(rules->folder));
}

static struct companions_shared *shared_of(struct arena *a, const struct source_files *files, const struct format *format, const struct rules *rules)
{
    size_t number = rules->shared ? map_get(&files->shared_by, shared_key(a, format, rules)) : 0;
    return number ? &files->shared[number - 1] : NULL;
}

static void mark_list(struct arena *a, const struct list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (!list->files[i]->companion)
            list->files[i]->taken = arena_new(a, atomic_bool);
        list->files[i]->companion = true;
    }
}

static void mark_format(struct arena *a, struct source_files *files, const struct format *format)
{
    struct arena scratch = {0};
    for (size_t i = 0; i < files->n; i++, arena_reset(&scratch)) {
        struct source_file *main = files->sorted[i];
        const struct rules rules = rules_of(format, main);
        if (rules.own) {
            struct list own = list_of(&scratch, files, format, rules.own, rules.folder, main);
            mark_list(a, &own);
            main->has_companions |= own.n > 0;
        }
        struct companions_shared *shared = shared_of(&scratch, files, format, &rules);
        if (rules.shared && !shared) {
            files->shared = arena_grow(a, files->shared, files->nshared, &files->shared_cap, sizeof *files->shared);
            shared = &files->shared[files->nshared++];
            *shared = (struct companions_shared){.list = list_of(a, files, format, rules.shared, rules.folder, main)};
            map_put(a, &files->shared_by, shared_key(&scratch, format, &rules), files->nshared);
            mark_list(a, &shared->list);
        }
        main->has_companions |= shared && shared->list.n;
    }
    arena_free(&scratch);
}

static bool any_changed(const struct list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (!list->files[i]->unchanged)
            return true;
    return false;
}

bool companions_changed(const struct source_files *files, const struct source_file *main)
{
    struct arena a = {0};
    bool changed = false;
    for (size_t i = 0; main->has_companions && !changed && i < format_count; i++) {
        const struct rules rules = rules_of(formats[i], main);
        struct companions_shared *shared = shared_of(&a, files, formats[i], &rules);
        struct list own = list_of(&a, files, formats[i], rules.own, rules.folder, main);
        if (shared && !shared->changed)
            shared->changed = any_changed(&shared->list) ? CHANGED : UNCHANGED;
        changed = (shared && shared->changed == CHANGED) || any_changed(&own);
    }
    arena_free(&a);
    return changed;
}

void companions_mark(struct arena *a, struct source_files *files)
{
    if (files->sorted)
        return;
    files->sorted = arena_array(a, struct source_file *, files->n);
    for (size_t i = 0; i < files->n; i++)
        files->sorted[i] = &files->items[i];
    qsort(files->sorted, files->n, sizeof(struct source_file *), by_name);
    for (size_t i = 0; i < format_count; i++)
        if (formats[i]->companions)
            mark_format(a, files, formats[i]);
}

size_t companions_from(const struct companions *files, struct slice prefix)
{
    size_t low = 0, high = files->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_cmp(files->paths[middle], prefix) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- their bytes ------------------------------------------------------------------------------------------------------- */

struct beside {
    struct companions companions;
    struct source_file *const *files;
    const struct source_limits *limits;
    bool used;
};

static bool load(void *ctx, size_t i, struct arena *a, struct slice *bytes, struct err *e)
{
    struct beside *b = ctx;
    const struct source_file *file = b->files[i];
    const uint64_t most = 2 * b->limits->value_bytes; /* as of records */
    b->used = true;
    atomic_store(file->taken, true);
    if (file->size > b->limits->value_bytes)
        return err_set(e, ERR_TOO_LARGE, "%.*s has more than %llu bytes", SLICE_ARG(file->name), (unsigned long long)b->limits->value_bytes);
    if (a->total + file->size > most)
        return err_set(e, ERR_TOO_LARGE, "with %.*s its run would take more than %llu bytes of memory", SLICE_ARG(file->name), (unsigned long long)most);
    struct source_input in;
    if (!source_open(file, b->limits, &in, e))
        return false;
    char *into = arena_alloc(a, file->size + 1);
    size_t n = 1, have = 0;
    bool ok = true;
    while (ok && n && have < file->size) {
        ok = source_input_read(&in, into + have, file->size - have, &n, e);
        have += ok ? n : 0;
    }
    source_input_close(&in);
    *bytes = slice_of(into, have);
    return ok;
}

static struct beside *beside_of(struct arena *a, const struct list *list, const struct source_limits *limits)
{
    struct beside *b = arena_new(a, struct beside);
    *b = (struct beside){.files = list->files, .limits = limits};
    b->companions = (struct companions){.paths = list->paths, .n = list->n, .load = load, .ctx = b};
    return b;
}

const struct companions *companions_of(struct arena *a, const struct source_files *files, const struct source_file *main,
                                       const struct format *format, const struct source_limits *limits)
{
    if (!main || !main->has_companions)
        return NULL;
    const struct rules rules = rules_of(format, main);
    const struct companions_shared *found = shared_of(a, files, format, &rules);
    struct beside *shared = found && found->list.n ? beside_of(a, &found->list, limits) : NULL;
    if (!rules.own)
        return shared ? &shared->companions : NULL;
    struct list list = list_of(a, files, format, rules.own, rules.folder, main);
    struct beside *own = list.n || shared ? beside_of(a, &list, limits) : NULL;
    if (own)
        own->companions.shared = shared ? &shared->companions : NULL;
    return own ? &own->companions : NULL;
}

bool companions_used(const struct companions *companions)
{
    const struct beside *b = companions ? companions->ctx : NULL;
    return b && (b->used || companions_used(companions->shared));
}
