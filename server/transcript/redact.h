/* A run without its secrets (text/secrets.h): the one place through which every run goes, whatever way it came in, before it is hashed,
 * looked at by detectors, stored, indexed or judged. */
#ifndef TRANSCRIPT_REDACT_H
#define TRANSCRIPT_REDACT_H

#include "text/secrets.h"
#include "transcript/finding.h"

/* Replaces the secrets in everything that the run says or carries: messages, calls, metadata, names, scores, labels, textual attachments, and
 * the findings and judgments of an export, whose evidence is moved to where its words now stand; where they are gone it quotes nothing. Twice
 * changes nothing more. False: a text could not be looked through (ERR_LIMIT), and the run must not be kept. */
bool run_redact(struct redaction *r, struct run *run, struct err *e);
/* A finding about a task, of an export: the words of its evidence stand in other runs; those that hold a secret are left out. */
bool finding_redact(struct redaction *r, struct finding *f, struct err *e);

#endif
