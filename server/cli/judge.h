/* What the words of `telltale judge` share. */
#ifndef CLI_JUDGE_H
#define CLI_JUDGE_H

#include "cli/cli.h"
#include "jobs/judging.h"
#include "jobs/rubrics.h"
#include "view/judging.h"

#include <stdio.h>

/* The database, made where it is missing, with the shipped rubrics in it. */
bool judge_open(struct cli *cli, struct store **out, struct err *e);
/* The path of telltale.yaml, or NULL. */
const char *judge_config(struct cli *cli);
/* Adds a job and does it here, with a live bar on stderr. ERR_CANCELLED: by Ctrl-C. The job may have failed: its row says so. */
bool judge_job(struct cli *cli, struct store *s, const struct job_row *job, struct job_row *out, struct err *e);
/* Adds --max-usd and --max-calls, where they were given, to the JSON of a wish. */
void judge_caps(struct cli *cli, struct jsonw *j);
/* A stranger's words on a terminal: one line, nothing in it moves the cursor. */
void judge_print(FILE *to, struct slice words);

/* judge_text.c: rubrics as texts */
int judge_new(struct cli *cli);
int judge_edit(struct cli *cli);
int judge_check(struct cli *cli);
int judge_draft(struct cli *cli);
/* judge_runs.c: asking the model */
int judge_try(struct cli *cli);
int judge_run_all(struct cli *cli);

#endif
