/* What `rules` writes: a rule to begin with, and the catalogue. */
#ifndef CLI_RULES_WRITE_H
#define CLI_RULES_WRITE_H

#include "cli/cli.h"

/* `rules new ID`: the template, or the rule that --like names, under that id. Never over a file that is there. */
int rules_new(struct cli *cli, const struct ruleset *rules);
/* `rules docs`: the catalogue as Markdown, by kind and behaviour; behaviours that no rule sees are named too. */
int rules_docs(struct cli *cli, const struct ruleset *rules);
/* The body of it, below its title. */
void rules_catalogue(struct str *out, const struct ruleset *rules);
/* To --to, else to stdout; the exit status. `mode` as of fopen. */
int rules_write_out(struct cli *cli, struct slice text, const char *mode);

#endif
