#include "jobs/end.h"

#include "base/clock.h"
#include "text/secrets.h"

#include <stdio.h>

bool job_passes(const struct err *e) { return e->code == ERR_FULL || e->code == ERR_BUSY; }

bool job_read(struct job *job, const struct job_kind *kind, struct err *e)
{
    struct jvalue *payload = NULL;
    if (!kind)
        return err_set(e, ERR_NEWER, "this program knows no jobs of kind %.*s", SLICE_ARG(job->row->kind));
    if (!jread(job->arena, job->row->payload, NULL, NULL, &payload, e))
        return err_prefix(e, "the job's payload");
    job->payload = payload;
    return true;
}

static void redact(const struct spool *spool, const struct secrets *secrets, struct arena *a, struct job_end *end)
{
    struct err e = {0};
    if (end->why.code == ERR_NONE) {
        redact_once(secrets, a, &end->report, &end->why);
        return;
    }
    err_hide_folder(&end->why, spool ? spool->dir : NULL);
    struct slice text = arena_dup(a, slice_str(end->why.text));
    end->report = SLICE_NONE;
    if (!redact_once(secrets, a, &text, &e))
        end->why = e;
    else
        snprintf(end->why.text, sizeof end->why.text, "%.*s", SLICE_ARG(text));
}

static enum job_state state_of(const struct err *why, bool stopped, bool cancelled)
{
    if (why->code == ERR_NONE)
        return JOB_DONE;
    if (stopped && cancelled)
        return JOB_CANCELLED;
    return job_passes(why) || (stopped && why->code == ERR_CANCELLED) ? JOB_QUEUED : JOB_FAILED;
}

void job_end(const struct job *job, bool ok, bool cancelled, const struct str *report, const struct err *why, struct job_end *out)
{
    bool stopped = atomic_load(job->stop);
    *out = (struct job_end){.report = str_slice(report)};
    if (!ok)
        out->why = *why;
    else if (report->full)
        err_set(&out->why, ERR_TOO_LARGE, "the report has over %zu MB", JOB_RESULT_MAX >> 20);
    struct secrets *secrets = rulebook_secrets(job->options->rules);
    redact(job->options->spool, secrets, job->arena, out);
    secrets_unref(secrets);
    out->state = state_of(&out->why, stopped, cancelled);
    if (out->state == JOB_QUEUED && !stopped)
        out->begin_at = clock_now_us() + JOB_AGAIN_US;
}

bool job_end_note(struct store *s, const struct job_row *row, struct job_end *end, struct err *e)
{
    bool cancelled = false;
    struct slice why = slice_str(end->why.text);
    if (end->state == JOB_QUEUED && !store_job_put_back(s, row, end->begin_at, end->begin_at ? why : SLICE_NONE, &cancelled, e))
        return false;
    if (cancelled)
        end->state = JOB_CANCELLED;
    return end->state == JOB_QUEUED ||
           store_job_finish(s, row, end->state, end->state == JOB_DONE ? end->report : SLICE_NONE, end->state == JOB_FAILED ? why : SLICE_NONE, e);
}
