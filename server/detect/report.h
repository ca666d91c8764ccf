/* The words of a finding: titles with their captures filled in. */
#ifndef DETECT_REPORT_H
#define DETECT_REPORT_H

#include "detect/rule.h"

/* What every finding of a rule has in common. */
struct finding finding_of(struct arena *a, const struct rule *rule);

struct report_value {
    struct slice name, value;   /* absent value: unbound, shown as … */
};
struct slice report_fill(struct arena *a, struct slice template, const struct report_value *values, size_t n);
/* JSON text of an object of those that are bound. */
struct slice report_captures(struct arena *a, const struct report_value *values, size_t n);

#endif
