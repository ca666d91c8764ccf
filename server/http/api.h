/* What the handlers of the API have in common. */
#ifndef HTTP_API_H
#define HTTP_API_H

#include "base/jsonw.h"
#include "http/route.h"
#include "view/view.h"

/* The collection that {c} in the path, or an argument, names by id or name. */
bool api_path_collection(struct request *r, struct collection_row *out, struct err *e);

struct page api_page(const struct request *r);
/* Filters by the arguments of run_filter_params; the slices live as long as the request. */
struct filter api_filter(const struct args *args, struct slice collection);
/* The rows that a body names: by "ids", or by "collection" and "filter". ERR_USAGE where it does neither. */
bool api_body_filter(struct request *r, struct filter *out, struct err *e);

/* {"items": [ … rows … ], "next", "total"} */
struct jsonw api_list(struct answer *a);
void api_list_end(struct jsonw *j, const struct page_end *end);

#endif
