/* How things look as JSON: one function per kind of thing, for the API, the command line and exports alike. */
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H

#include "base/jsonw.h"
#include "detect/detect.h"
#include "storage/exceptions.h"
#include "storage/own_rules.h"
#include "storage/task_detail.h"

void view_collection(struct jsonw *j, const struct collection_row *row);
void view_run(struct jsonw *j, const struct run_row *row);             /* without its messages */
void view_run_members(struct jsonw *j, const struct run_row *row);     /* the same without { and }, for what adds to it */
void view_message(struct jsonw *j, const struct message *message, uint32_t index);
void view_blob(struct jsonw *j, const struct blob *blob);              /* the reference, not the bytes */
void view_finding(struct jsonw *j, const struct finding_row *row);     /* the shape of the contract */
void view_finding_row_members(struct jsonw *j, const struct finding_row *row); /* the same without { and } */
void view_best(struct jsonw *j, bool has, const struct finding_row *best);     /* "best": what shows most of a task or behaviour; or null */
/* What a finding says, without { and } and without the description of its run; `run` NULL: it is about no single run. */
void view_finding_members(struct jsonw *j, const struct finding *finding, const struct run *run);
/* The run that something is said of, in brief; NULL: null. */
void view_run_ref(struct jsonw *j, const char *key, const struct run *run);
/* `run`: whose words these are where an item does not say so. `weight` is null where no judge cited it. */
void view_evidence(struct jsonw *j, const char *key, const struct evidence *evidence, size_t n, const struct run *run);
void view_evidence_item(struct jsonw *j, const struct evidence *ev, const struct run *run); /* one of them */
void view_exception(struct jsonw *j, const struct exception_row *row);
void view_own_rule(struct jsonw *j, const struct own_rule_row *row);
/* Evidence beside the messages that it stands in, with just enough of its finding to show it. */
void view_mark(struct jsonw *j, const struct finding *finding, const struct evidence *evidence);
/* Another run of the same task, in brief. */
void view_sibling(struct jsonw *j, const struct run_row *row, bool flagged);
void view_task(struct jsonw *j, const struct task_row *row);
void view_fields(struct jsonw *j, const struct field_rows *rows);
void view_facets(struct jsonw *j, const struct facet_rows *rows);
void view_stats(struct jsonw *j, const struct stat_rows *rows);
/* One task in whole, with what was found about it as a task. `a` is for comparing answers with targets. */
void view_task_detail(struct jsonw *j, const struct task_detail *detail, const struct finding_rows *about, struct arena *a);
void view_summary(struct jsonw *j, const struct summary *summary);
void view_job(struct jsonw *j, const struct job_row *row);
void view_incomplete(struct jsonw *j, const struct incomplete_row *row); /* a run, a detector, what stopped it */
void view_search_hit(struct jsonw *j, const struct search_hit *hit);
void view_search_facets(struct jsonw *j, const struct search_facets *facets);
void view_detector(struct jsonw *j, const struct detector_info *info);
void view_success(struct jsonw *j, enum verdict success);                   /* "success": true, false or null */
void view_index(struct jsonw *j, const char *key, int32_t n);               /* null where it is negative */
void view_count(struct jsonw *j, const char *key, int64_t n);               /* null where it is COUNT_UNKNOWN */
void view_time(struct jsonw *j, const char *key, int64_t us);               /* null where it is 0 */
/* "next" and "total", which close every list. */
void view_end(struct jsonw *j, const struct page_end *end);

#endif
