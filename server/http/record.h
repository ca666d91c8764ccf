/* What is written of a request: its id, and one line in the log when it has ended. */
#ifndef HTTP_RECORD_H
#define HTTP_RECORD_H

#include "http/request.h"

/* Sixteen hexadecimal digits, another with each call. */
struct slice request_id_new(struct arena *a);
/* Whether a client's X-Request-Id is one that can stand in logs and headers: 1 to 64 letters, digits, '.', '_' and '-'. */
bool request_id_is_good(struct slice id);

struct outcome {
    int status;       /* 0: no answer was begun */
    uint64_t bytes;   /* of the answer's body */
    int64_t took_us;  /* from the head to the last byte */
    bool cut;         /* the connection ended before all was sent */
};
/* The line names the route, never the path or the query, which hold what people look for. What is asked for all the time (the page's files,
 * /healthz, /readyz, /metrics) is told under LOG_DEBUG unless it fails. */
void record_request(const struct request *r, const struct outcome *o);

#endif
