/* Private: what the files of judging share. */
#ifndef STORAGE_JUDGE_JOB_H
#define STORAGE_JUDGE_JOB_H

#include "storage/inside.h"

/* The key of a job, by id. ERR_NOT_FOUND. */
bool judge_job_find(struct store *s, struct slice job, int64_t *n, struct err *e);
/* The same in the write transaction, with a row for its books. */
bool judge_job_open(struct store *s, struct slice job, int64_t *n, struct err *e);

/* In a transaction: has redaction in place changed a run since the job began? */
bool judge_job_redacted(struct store *s, int64_t job, bool *redacted, struct err *e);

enum item_state { ITEM_OPEN, ITEM_ANSWERED, ITEM_UNSUPPORTED, ITEM_FAILED, ITEM_SKIPPED };
/* An item of a job is done; `next_stage`: its run goes on to the next one. In the write transaction. */
bool judge_item_done(struct store *s, int64_t job, int64_t item, enum item_state state, bool flagged, bool next_stage, struct err *e);

/* The version of a rubric with that body, `version` before others; *out 0: there is none. */
bool rubric_version_of(struct store *s, struct slice name, int64_t version, const unsigned char hash[HASH_SIZE], int64_t *out, struct err *e);

/* What table model_call holds of a reply, packed, without its secrets; without any it stays as it is. */
struct redaction;
bool reply_redact(struct redaction *r, struct slice *packed, struct err *e);

#endif
