/* What the handlers of the API have in common. */
#ifndef HTTP_API_H
#define HTTP_API_H

#include "base/jsonw.h"
#include "http/route.h"
#include "text/jread.h"
#include "jobs/jobs.h"
#include "view/view.h"

/* The collection that {c} in the path, or an argument, names by id or name. */
bool api_path_collection(struct request *r, struct collection_row *out, struct err *e);
/* The id of the collection of that id or name; absent where `name` is. */
bool api_collection_id(struct request *r, struct slice name, struct slice *out, struct err *e);

/* Where whoever asks reached the server, which is where the page is: "https://telltale.example.org". */
struct slice api_page_address(struct request *r);

struct page api_page(const struct request *r);
/* Filters by the arguments of run_filter_params; the slices live as long as the request. ERR_USAGE. */
bool api_filter(const struct args *args, struct slice collection, struct filter *out, struct err *e);
/* By those of another list, with names that filter_set() knows. */
bool api_filter_by(const struct param *list, const struct args *args, struct slice collection, struct filter *out, struct err *e);
/* The rows that a body names: by "ids", or by "collection" and "filter". ERR_USAGE where it does neither. */
bool api_body_filter(struct request *r, struct filter *out, struct err *e);

/* Text, or JSON text, that is kept as it came or becomes part of a run at once: without its secrets, where the server redacts. ERR_LIMIT. */
bool api_redact(struct request *r, struct slice *text, struct err *e);
/* Reads the JSON of a body of BODY_BYTES, or what became of it, as logs and agents write it, without its secrets where the server redacts. ERR_USAGE: it is none. */
bool api_json(struct request *r, struct slice text, struct jvalue **out, struct err *e);

/* {"items": [ … rows … ], "next", "total"} */
struct jsonw api_list(struct answer *a);
void api_list_end(struct jsonw *j, const struct page_end *end);

/* ---- uploads (api_jobs.c) -------------------------------------------------------------------------------------------- */

/* Commits the spooled body and the job that imports it: what is acknowledged after this survives everything. Fills in the wish's
 * bytes and hash; r->job says which job. */
bool api_take_upload(struct request *r, struct slice collection, struct import_wish *wish, struct err *e);
/* Looks at r->job. Where `wait_s` from the first look leaves time and it has not ended, parks the request: *later is set, and the
 * handler is asked again. */
bool api_look(struct request *r, struct answer *a, int64_t wait_s, struct job_row *out, bool *later, struct err *e);
bool api_ended(enum job_state state);
/* Adds a job and answers with it; under an Idempotency-Key that came with the same payload before, with that one. */
bool api_add_job(struct request *r, struct answer *a, const struct job_row *job, struct err *e);

#endif
