/* Messages that are added to a run which is still going. */
#ifndef INGEST_APPEND_H
#define INGEST_APPEND_H

#include "detect/rulebook.h"
#include "storage/store.h"
#include "text/jread.h"

struct append_answer {
    struct slice run;        /* id */
    int32_t transcript;      /* position */
    uint32_t first, messages;/* index of the first new message in its transcript; how many the run has now */
};

/* `body`: a message, a list of messages, or
 *     {"messages": […], "transcript": position, id or name, "parent": id, "finished": true, "success", "exit_status", "error",
 *      "limit", "ended_at", "scores"}
 * where a transcript id that the run does not have begins one. Messages are of any chat shape. Durable when it returns; the detectors have
 * run over the whole run. Calls at one time, from any process, follow one another. ERR_USAGE says what in the body is wrong, where. */
bool ingest_append(struct store *s, struct rulebook *rules, struct slice run, struct slice key, const struct jvalue *body,
                   struct append_answer *out, struct err *e);

#endif
