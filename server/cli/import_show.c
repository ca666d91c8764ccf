#include "cli/import.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

/* ---- progress on stderr: a live line on a terminal, a line every few seconds elsewhere ------------------------------- */

enum { LINE_EVERY_US = 3000000, SKIPPED_SHOWN = 8 };

void progress_begin(struct progress *p, bool quiet)
{
    *p = (struct progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO), .last = clock_monotonic_us()};
}

static uint64_t all_runs(const struct ingest_report *r) { return r->runs[PUT_NEW] + r->runs[PUT_UPDATED] + r->runs[PUT_DUPLICATE]; }

/* [######..............]  31 %  120/392 files  5,310 runs  48 MB/s  0:42 left  3 refused */
void progress_show(void *ctx, const struct ingest_report *r)
{
    enum { CELLS = 20 };
    struct progress *p = ctx;
    int64_t now = clock_monotonic_us();
    if (p->quiet || (!p->terminal && now - p->last < LINE_EVERY_US))
        return;
    p->last = now;
    double done = (double)r->bytes_seen, total = (double)r->bytes_total;
    double share = total > 0 ? done / total : 0, speed = r->seconds > 0 ? done / r->seconds : 0;
    char bar[CELLS + 1];
    for (int i = 0; i < CELLS; i++)
        bar[i] = i < (int)(share * CELLS) ? '#' : '.';
    bar[CELLS] = '\0';
    uint64_t files = r->files_read + r->files_skipped + r->files_failed, refused = r->rejected + r->files_failed;
    fprintf(stderr, "%s[%s] %3.0f %%  %" PRIu64 "/%" PRIu64 " files  %" PRIu64 " runs  %.0f MB/s", p->terminal ? "\r" : "", bar, 100 * share,
            files, r->files_total, all_runs(r), speed / (1 << 20));
    if (speed > 0 && r->seconds > 1)
        fprintf(stderr, "  %d:%02d left", (int)((total - done) / speed) / 60, (int)((total - done) / speed) % 60);
    if (refused)
        fprintf(stderr, "  %" PRIu64 " refused", refused);
    fputs(p->terminal ? "\x1b[K" : "\n", stderr);
    p->shown = true;
}

void progress_end(const struct progress *p)
{
    if (p->terminal && p->shown)
        fprintf(stderr, "\r\x1b[K");
}

/* ---- the report ------------------------------------------------------------------------------------------------------ */

/* A stranger's words, of which no character moves the cursor, begins a line or turns the direction of what stands around it. */
static void print_words(struct slice words)
{
    mbstate_t state = {0};
    for (size_t i = 0, n; i < words.len; i += n) {
        wchar_t c;
        n = mbrtowc(&c, words.ptr + i, words.len - i, &state);
        bool readable = n && n <= words.len - i && iswprint((wint_t)c) && !(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) &&
                        !(c >= 0x2066 && c <= 0x2069);
        if (!readable) {
            state = (mbstate_t){0};
            n = 1;
            printf("\\x%02x", (unsigned char)words.ptr[i]);
        } else {
            fwrite(words.ptr + i, 1, n, stdout);
        }
    }
}

/* What was refused in full as far as it is listed; of what was merely skipped (no transcript) the first few. */
static void list_errors(const struct ingest_report *r, bool skipped)
{
    uint64_t shown = 0, all = skipped ? r->files_skipped : r->rejected + r->files_failed;
    for (size_t i = 0; i < r->nerrors && !(skipped && shown == SKIPPED_SHOWN); i++) {
        const struct ingest_error *x = &r->errors[i];
        if ((x->code == ERR_NOT_TRANSCRIPT && !x->location.len) != skipped)
            continue;
        shown++;
        printf("%s ", skipped ? "skipped" : "refused");
        print_words(x->source);
        printf("%s", x->location.len ? ", " : "");
        print_words(x->location);
        printf(": ");
        print_words(x->message);
        printf("\n");
    }
    if (all > shown)
        printf("and %" PRIu64 " more %s\n", all - shown, skipped ? "skipped" : "refused");
}

void import_print(const struct ingest_report *r, struct slice name)
{
    printf("%.*s: %" PRIu64 " new, %" PRIu64 " updated, %" PRIu64 " duplicate runs", SLICE_ARG(name), r->runs[PUT_NEW], r->runs[PUT_UPDATED],
           r->runs[PUT_DUPLICATE]);
    printf(" from %" PRIu64 " file%s (%" PRIu64 " skipped, %" PRIu64 " failed), %" PRIu64 " record%s refused\n", r->files_read,
           r->files_read == 1 ? "" : "s", r->files_skipped, r->files_failed, r->rejected, r->rejected == 1 ? "" : "s");
    printf("%" PRIu64 " messages, %.1f MB in %.2f s", r->messages, (double)r->bytes / (1 << 20), r->seconds);
    if (r->seconds > 0.01)
        printf(" (%.0f runs/s, %.1f MB/s)", (double)all_runs(r) / r->seconds, (double)r->bytes / (1 << 20) / r->seconds);
    printf("\n");
    for (size_t i = 0; i < format_count; i++)
        if (r->format_runs[i])
            printf("  %-14s %" PRIu64 " runs\n", formats[i]->name, r->format_runs[i]);
    /* So many findings, not so many tasks: whether a task is broken is said by its verdict. */
    static const char *const words[] = {"of broken tasks", "of odd behaviour", "of near misses", "of the harness", "of data"};
    uint64_t findings = 0;
    for (int k = 0; k < KIND_COUNT; k++)
        findings += r->findings[k];
    printf("%" PRIu64 " finding%s", findings, findings == 1 ? "" : "s");
    const char *before = ": ";
    for (int k = 0; k < KIND_COUNT; k++)
        if (r->findings[k]) {
            printf("%s%" PRIu64 " %s", before, r->findings[k], words[k]);
            before = ", ";
        }
    printf("\n");
    if (r->redacted)
        printf("redacted: %" PRIu64 " secret%s replaced before anything was stored\n", r->redacted, r->redacted == 1 ? " was" : "s were");
    if (r->incomplete)
        printf("incomplete: %" PRIu64 " detector passes over a run met a limit (telltale incomplete lists them)\n", r->incomplete);
    list_errors(r, false);
    list_errors(r, true);
    for (size_t i = 0; r->fields && i < format_count; i++)
        if (r->fields[i].top) {
            printf("fields of %s, how many values they have, and where these go:\n", formats[i]->name);
            fields_print(stdout, &r->fields[i]);
        }
}
