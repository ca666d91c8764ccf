/* Workflow commands of GitHub Actions: annotations in the log and on the pull request, for who uploads no SARIF.
 * https://docs.github.com/actions/reference/workflow-commands-for-github-actions */
#include "cli/report.h"

static const char *command_name(const struct reported *item)
{
    if (item->known)
        return "notice";
    switch (item->severity) {
    case SEVERITY_LOW: return "notice";
    case SEVERITY_MEDIUM: return "warning";
    case SEVERITY_HIGH: return "error";
    }
    return "notice";
}

/* What would end the line, or (in a property) the property, is written as %XX; what a terminal would obey, as U+FFFD. */
static void escape(struct str *out, struct slice s, bool property)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
            str_printf(out, "%%%02X", c);
        else if ((c < 0x20 && c != '\t') || c == 0x7f)
            str_addz(out, "\xef\xbf\xbd");
        else
            str_addc(out, (char)c);
    }
}

static bool write_line(const struct report *r, const struct reported *item, struct arena *a, struct str *text, struct err *e)
{
    struct finding_row row;
    struct run run;
    struct str words = STR_INIT(REPORT_TEXT);
    bool has, ok = report_load(r, item, a, &row, e);
    const struct evidence *first = ok && row.finding.nevidence ? &row.finding.evidence[0] : NULL;
    ok = ok && report_run(r, &row, first, a, &run, &has, e);
    if (ok) {
        uint64_t line = has ? source_line(&run.source) : 0;
        str_printf(text, "::%s ", command_name(item));
        if (has && run.source.file.len) {
            str_addz(text, "file=");
            escape(text, run.source.file, true);
            str_addc(text, ',');
        }
        if (line)
            str_printf(text, "line=%llu,", (unsigned long long)line);
        str_addz(text, "title=");
        str_printf(&words, "%.*s (%.*s)%s", SLICE_ARG(row.finding.title), SLICE_ARG(row.finding.detector), item->known ? ", in the baseline" : "");
        escape(text, str_slice(&words), true);
        str_addz(text, "::");
        str_reset(&words);
        if (row.finding.message.len)
            str_printf(&words, "%.*s\n", SLICE_ARG(row.finding.message));
        for (size_t i = 0; i < row.finding.nevidence && ok; i++) {
            const struct evidence *ev = &row.finding.evidence[i];
            ok = report_run(r, &row, ev, a, &run, &has, e);
            add_place(&words, ev, ok && has ? &run : NULL);
            str_addz(&words, ": ");
            str_add_slice(&words, ev->quote);
            str_addc(&words, '\n');
        }
        if (!words.len)
            str_add_slice(&words, row.finding.title);
        escape(text, slice_trim(str_slice(&words)), false);
        str_addc(text, '\n');
    }
    str_free(&words);
    return ok && report_print(text, e);
}

bool report_github(struct report *r, struct err *e)
{
    struct arena a = {0};
    struct str text = STR_INIT(REPORT_TEXT);
    bool ok = true;
    for (size_t i = 0; ok && i < r->n; i++) {
        arena_reset(&a);
        if (r->items[i].status != STATUS_DISMISSED) /* somebody has looked at it already */
            ok = write_line(r, &r->items[i], &a, &text, e);
    }
    str_free(&text);
    arena_free(&a);
    return ok;
}
