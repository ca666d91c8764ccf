#include "base/jsonw.h"
#include "docs/docs.h"
#include "http/api.h"
#include "http/route.h"

static void page_head(struct jsonw *j, const struct docs_page *page, struct slice text)
{
    jsonw_kstrz(j, "name", page->name);
    jsonw_kstr(j, "title", docs_title(text));
    jsonw_kstrz(j, "group", page->group);
}

bool api_docs(struct request *r, struct answer *a, struct err *e)
{
    struct jsonw j = jsonw_to(&a->body);
    struct slice words = arg_text(&r->args, "q");
    int64_t total = 0;
    jsonw_object(&j);
    jsonw_key(&j, "items");
    jsonw_array(&j);
    for (const struct docs_page *page = docs_pages; page->name; page++) {
        struct docs_hit hits[DOCS_HITS];
        struct slice text;
        size_t n = 0;
        if (!docs_text(slice_str(page->name), &text, e))
            return false;
        if (words.ptr)
            docs_find(text, words, hits, &n);
        if (words.ptr && !n)
            continue;
        total++;
        jsonw_object(&j);
        page_head(&j, page, text);
        jsonw_kstr(&j, "summary", docs_summary(text, &r->arena));
        jsonw_key(&j, "lines");
        if (words.ptr)
            jsonw_int(&j, (int64_t)n);
        else
            jsonw_null(&j);
        jsonw_key(&j, "hits");
        jsonw_array(&j);
        for (size_t i = 0; i < n && i < DOCS_HITS; i++) {
            jsonw_object(&j);
            jsonw_kstr(&j, "heading", hits[i].heading);
            jsonw_kstr(&j, "line", hits[i].line);
            jsonw_end(&j);
        }
        jsonw_end(&j);
        jsonw_end(&j);
    }
    jsonw_end(&j);
    jsonw_kstrz(&j, "next", NULL);
    jsonw_kint(&j, "total", total);
    jsonw_end(&j);
    return true;
}

bool api_docs_page(struct request *r, struct answer *a, struct err *e)
{
    struct slice text;
    if (!docs_text(r->path[0], &text, e))
        return false;
    struct jsonw j = jsonw_to(&a->body);
    jsonw_object(&j);
    for (const struct docs_page *page = docs_pages; page->name; page++)
        if (slice_is(r->path[0], page->name))
            page_head(&j, page, text);
    jsonw_kstr(&j, "text", text);
    jsonw_end(&j);
    return true;
}
