#include "llm/models.h"

#include "base/jsonw.h"
#include "llm/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MAX = 4 << 20,
    KEY_MAX = 16 << 10,
    NAME_MAX_BYTES = 64,
    CONCURRENCY_MOST = 256,
    TIMEOUT_MOST = 3600,
    WINDOW_LEAST = 512,
    WINDOW_MOST = 100000000
};
static const double PRICE_MOST = 1e6;
static const char env_name[] = "env", env_key[] = "TELLTALE_MODEL_KEY";
static const char *const origin_names[] = {[MODEL_FILE] = "file", [MODEL_ENV] = "env", [MODEL_STORED] = "page"};
static const char *const api_names[] = {[LLM_OPENAI] = "openai", [LLM_ANTHROPIC] = "anthropic", NULL};
static const char *const structure_names[] = {[LLM_SCHEMA] = "schema", [LLM_PROMPT] = "prompt", NULL};

/* ---- files --------------------------------------------------------------------------------------------------------------- */

/* A regular file, whole. */
static bool read_whole(const char *path, size_t most, struct arena *a, struct slice *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        err_errno(e, "%s", path);
        if (fd >= 0)
            close(fd);
        return false;
    }
    char *text = S_ISREG(st.st_mode) && (uint64_t)st.st_size <= most ? arena_alloc(a, (size_t)st.st_size + 1) : NULL;
    ssize_t n = text ? read(fd, text, (size_t)st.st_size) : 0;
    bool ok = text || err_set(e, ERR_USAGE, "%s is no file, or a larger one than %zu KB", path, most >> 10);
    ok = ok && (n >= 0 || err_errno(e, "%s", path));
    close(fd);
    *out = slice_of(text, ok ? (size_t)n : 0);
    return ok;
}

/* The file's one map; NULL where it has none, which is a problem of the reader's. */
static const struct node *read_root(struct reader *r, struct slice text)
{
    struct rule_texts texts = {0};
    r->one_map = SETTINGS_ONE_MAP;
    node_read(r, text, &texts);
    return texts.n && texts.items[0].node.type == NODE_MAP ? &texts.items[0].node : NULL;
}

/* ---- one model ------------------------------------------------------------------------------------------------------------- */

static const struct node *node_here(const struct node *map, const char *key)
{
    const struct node *v = node_get(map, key);
    return v && v->type != NODE_NULL ? v : NULL;
}

static bool read_word(struct reader *r, const struct node *map, const char *key, bool needed, struct slice *out)
{
    const struct node *v = node_here(map, key);
    if (!v)
        return !needed || node_problem(r, map, "%s is missing", key);
    return node_string(r, v, key, out) && (out->len || node_problem(r, v, "%s is empty", key));
}

static bool read_choice(struct reader *r, const struct node *map, const char *key, const char *const words[], int *out)
{
    struct slice word = SLICE_NONE;
    const struct node *v = node_here(map, key);
    if (!v)
        return true;
    if (!node_string(r, v, key, &word))
        return false;
    for (int i = 0; words[i]; i++)
        if (slice_is(word, words[i]))
            return *out = i, true;
    return node_problem(r, v, "%s: there is no '%.*s'; %.*s", key, SLICE_ARG(word), SLICE_ARG(node_suggest(r, word, words)));
}

static bool read_number(struct reader *r, const struct node *map, const char *key, double least, double most, double *out)
{
    const struct node *v = node_here(map, key);
    if (!v)
        return true;
    if (v->type != NODE_NUMBER || !(v->number >= least && v->number <= most))
        return node_problem(r, v, "%s is a number from %g to %g, but this is %s", key, least, most, node_what(v));
    *out = v->number;
    return true;
}

static bool read_flag(struct reader *r, const struct node *map, const char *key, bool *out)
{
    const struct node *v = node_here(map, key);
    if (v && v->type != NODE_BOOL)
        return node_problem(r, v, "%s is true or false, but this is %s", key, node_what(v));
    *out = v ? v->boolean : *out;
    return true;
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && !(i && (c == '-' || c == '_' || c == '.')))
            return false;
    }
    return name.len && name.len <= NAME_MAX_BYTES;
}

static bool read_price(struct reader *r, const struct node *map, struct llm_model *m)
{
    static const char *const known[] = {"in", "out", NULL};
    const struct node *price = node_here(map, "price");
    if (!price)
        return true;
    if (price->type != NODE_MAP || !node_here(price, "in") || !node_here(price, "out"))
        return node_problem(r, price, "price is a map with in and out, USD for a million tokens");
    return node_known_keys(r, price, "price", known) && read_number(r, price, "in", 0, PRICE_MOST, &m->price_in) &&
           read_number(r, price, "out", 0, PRICE_MOST, &m->price_out);
}

static bool read_model(struct reader *r, struct slice name, const struct node *map, struct llm_model *m)
{
    static const char *const known[] = {"name",    "origin", "api",   "url",       "model",    "key", "concurrency",
                                        "timeout", "window", "price", "structure", "logprobs", NULL};
    double concurrency = LLM_MODEL_INIT.concurrency, timeout = (double)LLM_MODEL_INIT.timeout_ms / 1000, window = (double)LLM_MODEL_INIT.window;
    int api = LLM_OPENAI, structure = LLM_SCHEMA;
    struct address where;
    struct err e;
    *m = LLM_MODEL_INIT;
    m->name = name;
    if (map->type != NODE_MAP)
        return node_problem(r, map, "a model is a map with url and model, but this is %s", node_what(map));
    if (!is_name(name) || slice_is(name, "default"))
        return node_problem(r, map, "a model's name has letters, digits, - _ and ., at most %d of them, and is not 'default'", NAME_MAX_BYTES);
    if (!node_known_keys(r, map, "a model", known) || !read_choice(r, map, "api", api_names, &api) ||
        !read_word(r, map, "url", true, &m->url) || !read_word(r, map, "model", true, &m->model) ||
        !read_word(r, map, "key", false, &m->key) || !read_number(r, map, "concurrency", 1, CONCURRENCY_MOST, &concurrency) ||
        !read_number(r, map, "timeout", 0.001, TIMEOUT_MOST, &timeout) ||
        !read_number(r, map, "window", WINDOW_LEAST, WINDOW_MOST, &window) || !read_price(r, map, m) ||
        !read_choice(r, map, "structure", structure_names, &structure) || !read_flag(r, map, "logprobs", &m->logprobs))
        return false;
    if (!address_parse(m->url, r->a, &where, &e))
        return node_problem(r, node_get(map, "url"), "%s", e.text);
    m->api = (enum llm_api)api;
    m->structure = (enum llm_structure)structure;
    m->url = where.base;
    m->concurrency = (int)concurrency;
    m->timeout_ms = (int64_t)(timeout * 1000);
    m->window = (int64_t)window;
    return true;
}

void model_write(struct str *out, const struct llm_model *m, enum model_origin origin)
{
    struct jsonw j = jsonw_to(out);
    jsonw_object(&j);
    jsonw_kstr(&j, "name", m->name);
    jsonw_kstrz(&j, "api", api_names[m->api]);
    jsonw_kstr(&j, "url", m->url);
    jsonw_kstr(&j, "model", m->model);
    jsonw_kstr(&j, "key", m->key);
    jsonw_kint(&j, "concurrency", m->concurrency);
    jsonw_knum(&j, "timeout", (double)m->timeout_ms / 1000);
    jsonw_kint(&j, "window", m->window);
    jsonw_key(&j, "price");
    if (isnan(m->price_in) || isnan(m->price_out)) {
        jsonw_null(&j);
    } else {
        jsonw_object(&j);
        jsonw_knum(&j, "in", m->price_in);
        jsonw_knum(&j, "out", m->price_out);
        jsonw_end(&j);
    }
    jsonw_kstrz(&j, "structure", structure_names[m->structure]);
    jsonw_kbool(&j, "logprobs", m->logprobs);
    jsonw_kstrz(&j, "origin", origin_names[origin]);
    jsonw_end(&j);
}

bool model_parse(struct slice json, struct arena *a, struct llm_model *out, struct err *e)
{
    struct problems problems = {0};
    struct rule_texts texts = {0};
    struct reader r = {
        .a = a, .report = a, .problems = &problems, .file = slice_str("model"), .one_map = "a model is a map with name, url and model"};
    struct slice name = SLICE_NONE;
    node_read(&r, arena_dup(a, json), &texts);
    const struct node *map = texts.n == 1 && texts.items[0].node.type == NODE_MAP ? &texts.items[0].node : NULL;
    if (map && !problems.n && read_word(&r, map, "name", true, &name))
        read_model(&r, name, map, out);
    if (problems.n)
        return err_set(e, ERR_USAGE, "%.*s", SLICE_ARG(problems.items[0].message));
    return map || err_set(e, ERR_USAGE, "a model is a JSON object with name, url and model");
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------- */

static bool has_model(const struct models *m, struct slice name)
{
    for (size_t i = 0; i < m->n; i++)
        if (slice_eq(m->items[i].model.name, name))
            return true;
    return false;
}

static void add_model(struct models *m, struct arena *a, const struct llm_model *model, enum model_origin origin)
{
    m->items = arena_grow(a, m->items, m->n, &m->cap, sizeof *m->items);
    m->items[m->n].model = *model;
    m->items[m->n].model.private_ok = origin != MODEL_STORED;
    m->items[m->n++].origin = origin;
}

static void add_key(struct models *m, struct arena *a, struct slice name, struct slice origin)
{
    m->keys = arena_grow(a, m->keys, m->nkeys, &m->keys_cap, sizeof *m->keys);
    m->keys[m->nkeys].name = name;
    m->keys[m->nkeys++].origin = origin;
}

static const struct slice *origin_of_key(const struct models *m, struct slice name)
{
    for (size_t i = 0; i < m->nkeys; i++)
        if (slice_eq(m->keys[i].name, name))
            return &m->keys[i].origin;
    return NULL;
}

/* Capital letters, as a name has them and a key that was put in its place has not: errors name the variable. */
static bool is_variable(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!((name.ptr[i] >= 'A' && name.ptr[i] <= 'Z') || (i && name.ptr[i] >= '0' && name.ptr[i] <= '9') || name.ptr[i] == '_'))
            return false;
    return name.len > 0;
}

static void read_keys(struct reader *r, const struct node *keys, struct models *m)
{
    static const char *const known[] = {"env", "file", "for", NULL};
    if (keys && keys->type != NODE_MAP)
        node_problem(r, keys, "keys: a map of names, each with for and env or file, was expected, but this is %s", node_what(keys));
    for (size_t i = 0; keys && keys->type == NODE_MAP && i < keys->n; i++) {
        const struct node *one = &keys->items[i];
        struct slice target = SLICE_NONE, source = SLICE_NONE, name = keys->keys[i].text;
        struct address where;
        struct err e;
        if (one->type != NODE_MAP || !node_here(one, "for") || (node_here(one, "env") != NULL) == (node_here(one, "file") != NULL)) {
            node_problem(r, one,
                         "a key is a map with for (the URL that it is sent to) and either env or file; the key itself never stands here");
            continue;
        }
        if (node_here(one, "env") && !is_variable(node_text_of(one, "env")))
            node_problem(r, node_get(one, "env"), "env is the name of an environment variable, such as OPENAI_API_KEY, never the key itself");
        else if (!is_name(name) || slice_is(name, env_key))
            node_problem(r, &keys->keys[i], "a key's name has letters, digits, - _ and ., and is not %s", env_key);
        else if (node_known_keys(r, one, "a key", known) && read_word(r, one, "for", true, &target) &&
                 read_word(r, one, node_here(one, "env") ? "env" : "file", true, &source)) {
            if (address_parse(target, r->a, &where, &e))
                add_key(m, r->a, name, where.origin);
            else
                node_problem(r, node_get(one, "for"), "for: %s", e.text);
        }
    }
}

static bool key_fits(const struct models *m, const struct llm_model *model, struct arena *a, struct err *e)
{
    struct address where;
    const struct slice *origin = model->key.ptr ? origin_of_key(m, model->key) : NULL;
    if (!model->key.ptr)
        return true;
    if (!origin) /* what it says instead may be the key itself */
        return err_set(e, ERR_USAGE, "the model's key is none of the names in telltale.yaml under keys; the key itself never stands with a model");
    if (!address_parse(model->url, a, &where, e))
        return false;
    return slice_eq(*origin, where.origin) || err_set(e, ERR_USAGE, "the key '%.*s' is for %.*s and is not sent to %.*s",
                                                      SLICE_ARG(model->key), SLICE_ARG(*origin), SLICE_ARG(where.origin));
}

static void read_models(struct reader *r, const struct node *map, struct models *m)
{
    const struct node *chosen = node_here(map, "default");
    struct llm_model model;
    struct err e;
    if (map && map->type != NODE_MAP)
        node_problem(r, map, "models: a map of names was expected, but this is %s", node_what(map));
    for (size_t i = 0; map && map->type == NODE_MAP && i < map->n; i++) {
        if (&map->items[i] == chosen || map->items[i].type == NODE_NULL)
            continue;
        if (!read_model(r, map->keys[i].text, &map->items[i], &model))
            continue;
        if (key_fits(m, &model, r->a, &e))
            add_model(m, r->a, &model, MODEL_FILE);
        else
            node_problem(r, node_get(&map->items[i], "key"), "%s", e.text);
    }
    if (chosen && node_string(r, chosen, "default", &m->fallback) && !has_model(m, m->fallback) && !slice_is(m->fallback, env_name)) {
        node_problem(r, chosen, "default: there is no model '%.*s'", SLICE_ARG(m->fallback));
        m->fallback = SLICE_NONE;
    }
}

/* ---- the environment ----------------------------------------------------------------------------------------------------------- */

static const char *env_of(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

static bool env_number(struct reader *r, const char *name, double least, double most, double *out)
{
    const char *text = env_of(name);
    char *end;
    if (!text)
        return true;
    double x = strtod(text, &end);
    if (*end || !(x >= least && x <= most))
        return node_problem(r, NULL, "%s is a number from %g to %g, but this is %s", name, least, most, text);
    *out = x;
    return true;
}

static void read_environment(struct reader *r, struct models *m)
{
    struct llm_model model = LLM_MODEL_INIT;
    double window = (double)model.window, concurrency = model.concurrency;
    const char *url = env_of("TELLTALE_MODEL_URL"), *name = env_of("TELLTALE_MODEL"), *api = env_of("TELLTALE_MODEL_API");
    struct address where;
    struct err e;
    if (!url && !name)
        return;
    model.name = slice_str(env_name);
    if (!url || !name)
        node_problem(r, NULL, "TELLTALE_MODEL_URL and TELLTALE_MODEL go together, and one of them is not set");
    else if (api && strcmp(api, api_names[LLM_OPENAI]) != 0 && strcmp(api, api_names[LLM_ANTHROPIC]) != 0)
        node_problem(r, NULL, "TELLTALE_MODEL_API is openai or anthropic, and nothing else; a key is set as TELLTALE_MODEL_KEY");
    else if (!address_parse(slice_str(url), r->a, &where, &e))
        node_problem(r, NULL, "TELLTALE_MODEL_URL: %s", e.text);
    else if (has_model(m, model.name))
        node_problem(r, NULL, "the file has a model called env too, and that one counts");
    else if (env_number(r, "TELLTALE_MODEL_PRICE_IN", 0, PRICE_MOST, &model.price_in) &&
             env_number(r, "TELLTALE_MODEL_PRICE_OUT", 0, PRICE_MOST, &model.price_out) &&
             env_number(r, "TELLTALE_MODEL_WINDOW", WINDOW_LEAST, WINDOW_MOST, &window) &&
             env_number(r, "TELLTALE_MODEL_CONCURRENCY", 1, CONCURRENCY_MOST, &concurrency)) {
        model.api = api && strcmp(api, api_names[LLM_ANTHROPIC]) == 0 ? LLM_ANTHROPIC : LLM_OPENAI;
        model.url = where.base;
        model.model = arena_dup(r->a, slice_str(name));
        model.window = (int64_t)window;
        model.concurrency = (int)concurrency;
        if (env_of(env_key)) {
            model.key = slice_str(env_key);
            add_key(m, r->a, model.key, where.origin);
        }
        add_model(m, r->a, &model, MODEL_ENV);
    }
}

static struct slice lines_of(const struct problems *problems, struct arena *a)
{
    struct str text = STR_INIT(1 << 16);
    for (size_t i = 0; i < problems->n; i++) {
        const struct problem *p = &problems->items[i];
        if (p->line)
            str_printf(&text, "%.*s:%d: ", SLICE_ARG(p->file), p->line);
        str_printf(&text, "%.*s\n", SLICE_ARG(p->message));
    }
    struct slice copy = problems->n ? arena_dup(a, slice_trim(str_slice(&text))) : SLICE_NONE;
    str_free(&text);
    return copy;
}

void models_read(const char *config, struct arena *a, struct models *out)
{
    struct problems problems = {0};
    struct reader r = {.a = a, .report = a, .problems = &problems, .file = slice_str(config)};
    struct slice text;
    struct err e;
    *out = (struct models){.file = config ? arena_strdup(a, slice_str(config)) : NULL};
    if (config && !read_whole(config, FILE_MAX, a, &text, &e)) {
        node_problem(&r, NULL, "%s", e.text);
    } else if (config) {
        const struct node *root = read_root(&r, text);
        read_keys(&r, node_here(root, "keys"), out);
        read_models(&r, node_here(root, "models"), out);
    }
    read_environment(&r, out);
    if (slice_is(out->fallback, env_name) && !has_model(out, out->fallback)) {
        node_problem(&r, NULL, "default: there is no model 'env', as TELLTALE_MODEL_URL is not set");
        out->fallback = SLICE_NONE;
    }
    for (size_t i = out->n; i-- > 0 && !out->fallback.ptr;)
        if (out->items[i].origin == MODEL_ENV || i == 0)
            out->fallback = out->items[i].model.name;
    out->problems = lines_of(&problems, a);
}

bool models_add_stored(struct models *m, struct slice json, struct arena *a, struct err *e)
{
    struct llm_model model;
    if (!model_parse(json, a, &model, e))
        return false;
    if (!has_model(m, model.name))
        add_model(m, a, &model, MODEL_STORED);
    if (!m->fallback.ptr)
        m->fallback = model.name;
    return true;
}

bool models_find(const struct models *m, struct slice name, const struct llm_model **out, struct err *e)
{
    name = name.len ? name : m->fallback;
    for (size_t i = 0; i < m->n; i++)
        if (slice_eq(m->items[i].model.name, name)) {
            *out = &m->items[i].model;
            return true;
        }
    if (!m->n)
        return err_set(e, ERR_NOT_FOUND,
                       "no model is connected: name one in telltale.yaml under models, set TELLTALE_MODEL_URL and TELLTALE_MODEL, "
                       "or add one in the page's settings");
    struct str names = STR_INIT(300);
    for (size_t i = 0; i < m->n; i++)
        str_printf(&names, "%s%.*s", i ? ", " : "", SLICE_ARG(m->items[i].model.name));
    err_set(e, ERR_NOT_FOUND, "there is no model '%.*s'; there are %.*s", SLICE_ARG(name), SLICE_ARG(str_slice(&names)));
    str_free(&names);
    return false;
}

/* ---- secrets ------------------------------------------------------------------------------------------------------------------- */

/* Where the file says that the key is read from, as it says now. */
static bool read_secret(const struct models *m, struct slice name, struct arena *a, struct slice *out, struct err *e)
{
    struct problems problems = {0};
    struct reader r = {.a = a, .report = a, .problems = &problems, .file = slice_str(m->file)};
    struct slice text;
    if (!m->file || !read_whole(m->file, FILE_MAX, a, &text, e))
        return m->file ? false : err_set(e, ERR_USAGE, "there is no key '%.*s'", SLICE_ARG(name));
    const struct node *one = node_get(node_get(read_root(&r, text), "keys"), arena_strdup(a, name));
    struct slice env = node_text_of(one, "env"), file = node_text_of(one, "file");
    if (env.ptr) {
        const char *value = env_of(arena_strdup(a, env));
        *out = arena_dup(a, slice_trim(slice_str(value ? value : "")));
        return out->len || err_set(e, ERR_USAGE, "the key '%.*s' is read from the environment variable %.*s, which is not set",
                                   SLICE_ARG(name), SLICE_ARG(env));
    }
    if (!file.ptr)
        return err_set(e, ERR_USAGE, "there is no key '%.*s' in %s any more", SLICE_ARG(name), m->file);
    const char *slash = strrchr(m->file, '/');
    if (slash && file.len && file.ptr[0] != '/')
        file = arena_printf(a, "%.*s/%.*s", (int)(slash - m->file), m->file, SLICE_ARG(file));
    if (!read_whole(arena_strdup(a, file), KEY_MAX, a, out, e))
        return err_prefix(e, "the key '%.*s' cannot be read", SLICE_ARG(name));
    *out = slice_trim(*out);
    return out->len || err_set(e, ERR_USAGE, "the key '%.*s' is empty: %.*s", SLICE_ARG(name), SLICE_ARG(file));
}

bool models_secret(const struct models *m, const struct llm_model *model, struct arena *a, struct slice *out, struct err *e)
{
    *out = SLICE_NONE;
    if (!model->key.ptr)
        return true;
    if (!key_fits(m, model, a, e))
        return false;
    if (!slice_is(model->key, env_key))
        return read_secret(m, model->key, a, out, e);
    const char *value = env_of(env_key);
    *out = arena_dup(a, slice_trim(slice_str(value ? value : "")));
    return out->len || err_set(e, ERR_USAGE, "%s is not set", env_key);
}
