/* How things look as JSON: one function per kind of thing, for the API, the command line and exports alike. */
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H

#include "base/json.h"
#include "detect/detect.h"
#include "storage/store.h"

void view_collection(struct json *j, const struct collection_row *row);
void view_run(struct json *j, const struct run_row *row);             /* without its messages */
void view_message(struct json *j, const struct message *message, uint32_t index);
void view_finding(struct json *j, const struct finding_row *row);     /* the shape of the contract */
void view_task(struct json *j, const struct task_row *row);
void view_summary(struct json *j, const struct summary *summary);
void view_job(struct json *j, const struct job_row *row);
void view_search_hit(struct json *j, const struct search_hit *hit);
void view_detector(struct json *j, const struct detector_info *info);

/* A native run: every field of the data model, with messages, findings, evidence and reviews: a line of an export. */
void view_native(struct json *j, const struct run *run, const struct run_row *row, const struct finding_row *findings, size_t nfindings);

#endif
