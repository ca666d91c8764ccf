/* Draws the map of a collection (detect/atlas.h) and keeps it. */
#ifndef JOBS_ATLAS_RUN_H
#define JOBS_ATLAS_RUN_H

#include "jobs/jobs.h"

bool atlas_run_job(struct job *job, struct str *result, struct err *e);

#endif
