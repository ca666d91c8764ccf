#include "cli/report.h"
bool report_html(struct report *r, struct err *e) { (void)r; return err_set(e, ERR_INTERNAL, "x"); }
