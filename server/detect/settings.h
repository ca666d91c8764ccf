/* telltale.yaml: which detectors are on, how much they weigh, and their parameters, for all collections or some.
 *
 *     rules: [my-rules/]                # more packs, beside this file
 *     redact: true                      # or a map: kinds of secrets of one's own, each with a pattern
 *     disable: [prompt-leak, "task-*"]  # ids; * and ? stand for any letters
 *     enable: [chatty-finish]
 *     detectors: { repeated-call: { enabled: true, severity: low, parameters: { times: 6 } } }
 *     collections: { "ctf*": { disable: […], enable: […], detectors: {…} } }
 *
 * A collection's blocks are applied in their order, on top of what holds for all. */
#ifndef DETECT_SETTINGS_H
#define DETECT_SETTINGS_H

#include "detect/detect.h"
#include "text/node.h"
#include "text/secrets.h"

enum { SETTINGS_BLOCKS = 64 };
struct settings_block {
    struct slice collections;   /* of whose names; absent: all */
    const struct node *node;    /* with disable, enable, detectors */
};
struct settings_pack {
    const char *path;           /* made relative to where the program runs */
    const struct node *node;
};
struct settings {
    struct slice file;
    struct settings_pack *packs;
    size_t npacks, packs_cap;
    struct settings_block blocks[SETTINGS_BLOCKS];
    size_t n;
    bool redact;                /* secrets are redacted, */
    struct secret_own *own;     /* those of one's own forms too */
    size_t nown;
};

/* Reads the file into `a`. What is wrong in it is listed, in `report`; false only where it cannot be read, where it has a key that there is not
 * (it may be `redact`, mistyped) and where it speaks of redaction in a way that is not understood: secrets are not to be stored because of a slip
 * of the pen. */
bool settings_read(const char *path, struct arena *a, struct arena *report, struct problems *problems, struct settings *out, struct err *e);
/* The blocks that hold for a collection of that name (absent: those that hold for all): a bit each. */
uint64_t settings_blocks(const struct settings *s, struct slice collection);
/* The rule as these blocks have it: severity, parameters and `enabled` in its node replaced. What does not fit the rule is left as the
 * rule has it (settings_check says so). */
struct node settings_apply(const struct settings *s, uint64_t blocks, struct arena *a, struct slice id, const struct node *rule);
/* Lists what speaks of detectors or parameters that there are not, or gives a parameter a value that it cannot have. */
void settings_check(const struct settings *s, const struct ruleset *rs, struct arena *report, struct problems *problems);

#endif
