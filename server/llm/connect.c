#include "llm/connect.h"

#include "llm/address.h"
#include "llm/api.h"

enum { CONCURRENCY_MOST = 256 };
static const int64_t TIMEOUT_MOST_MS = 24 * 3600 * INT64_C(1000);

struct llm_model connect_bounded(const struct llm_model *model)
{
    struct llm_model m = *model;
    m.concurrency = m.concurrency < 1 ? 1 : m.concurrency > CONCURRENCY_MOST ? CONCURRENCY_MOST : m.concurrency;
    m.timeout_ms = m.timeout_ms < 1 ? LLM_MODEL_INIT.timeout_ms : m.timeout_ms > TIMEOUT_MOST_MS ? TIMEOUT_MOST_MS : m.timeout_ms;
    return m;
}

static bool is_secret(struct slice secret)
{
    for (size_t i = 0; i < secret.len; i++)
        if ((unsigned char)secret.ptr[i] <= ' ' || (unsigned char)secret.ptr[i] >= 0x7f)
            return false;
    return true;
}

struct wire *connect_to(const struct llm_model *model, struct slice secret, const char *path, size_t reply_max, struct arena *a, struct err *e)
{
    struct address where;
    const struct api *api = api_of(model->api);
    if (!address_parse(model->url, a, &where, e))
        return NULL;
    if (!is_secret(secret)) {
        err_set(e, ERR_USAGE, "the key has a blank or a letter that no key has");
        return NULL;
    }
    struct str header = STR_INIT(1 << 16);
    if (secret.ptr) {
        str_addz(&header, api->key_header);
        str_add_slice(&header, secret);
    }
    struct llm_model m = connect_bounded(model);
    struct wire *w = wire_open(&(struct wire_options){.url = arena_printf(a, "%.*s%s", SLICE_ARG(where.base), path).ptr,
                                                      .key_header = secret.ptr ? str_slice(&header) : SLICE_NONE,
                                                      .headers = (const char *const[]){api->header, NULL},
                                                      .private_ok = m.private_ok,
                                                      .concurrency = m.concurrency,
                                                      .timeout_ms = m.timeout_ms,
                                                      .reply_max = reply_max});
    if (header.ptr)
        explicit_bzero(header.ptr, header.len);
    str_free(&header);
    return w;
}
