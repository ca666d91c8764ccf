/* Redaction of what is stored already. */
#include "base/clock.h"
#include "base/jsonw.h"
#include "cli/cli.h"
#include "storage/care.h"
#include "storage/redact.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { SHOW_US = 200000, REPORT_BYTES = 1 << 20 };

struct shown {
    bool quiet;
    int64_t last;
};

static void show_progress(void *ctx, uint64_t done, uint64_t of)
{
    struct shown *shown = ctx;
    int64_t now = clock_monotonic_us();
    if (shown->quiet || now - shown->last < SHOW_US)
        return;
    shown->last = now;
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " runs\033[K\r", done, of);
}

static void show_refused(void *ctx, struct slice what, const struct err *why)
{
    (void)ctx;
    fprintf(stderr, "%.*s stays as it was: %s\n", SLICE_ARG(what), why->text);
}

static void print_json(const struct secrets *secrets, const struct redacted *done)
{
    struct str text = STR_INIT(REPORT_BYTES);
    struct jsonw j = jsonw_to(&text);
    jsonw_object(&j);
    jsonw_kint(&j, "runs", (int64_t)done->runs);
    jsonw_kint(&j, "changed", (int64_t)done->runs_changed);
    jsonw_kint(&j, "refused", (int64_t)done->refused);
    jsonw_kint(&j, "secrets", (int64_t)done->secrets);
    redacted_kinds(&j, secrets, done);
    jsonw_kint(&j, "uploads_deleted", (int64_t)done->uploads);
    jsonw_kint(&j, "uploads_waiting", (int64_t)done->waiting);
    jsonw_kint(&j, "rules_left", (int64_t)done->rules);
    jsonw_end(&j);
    printf("%.*s\n", SLICE_ARG(str_slice(&text)));
    str_free(&text);
}

static const char *plural(uint64_t n) { return n == 1 ? "" : "s"; }

static void print_text(const struct secrets *secrets, const struct redacted *done, bool dry_run)
{
    printf("%" PRIu64 " secret%s %sreplaced; %" PRIu64 " of %" PRIu64 " runs held one\n", done->secrets, plural(done->secrets), dry_run ? "would be " : "",
           done->runs_changed, done->runs);
    for (size_t i = 0; i < secrets_count(secrets); i++)
        if (redacted_of_kind(secrets, done, i))
            printf("%8" PRIu64 "  %.*s\n", redacted_of_kind(secrets, done, i), SLICE_ARG(secrets_kind(secrets, i)));
    if (done->uploads)
        printf("%" PRIu64 " upload%s that failed, kept for another try, %sdeleted\n", done->uploads, plural(done->uploads), dry_run ? "would be " : "");
    if (done->waiting)
        printf("%" PRIu64 " upload%s waiting or being read meanwhile may be as they came: do this again when they are done\n", done->waiting, plural(done->waiting));
    if (done->rules)
        printf("%" PRIu64 " of your own rules and rubrics, Idempotency-Keys, ids of traces and names of tokens hold one and stay as they are: edit those rules\n"
               "and rubrics, revoke those tokens, and delete the collections of those traces\n", done->rules);
    if (done->refused)
        printf("%" PRIu64 " run%s or value%s could not be looked through and stay%s as they were\n", done->refused, plural(done->refused),
               plural(done->refused), done->refused == 1 ? "s" : "");
}

static bool rewrite(const struct cli *cli, struct store *store, struct err *e)
{
    struct store_sizes sizes;
    if (!store_sizes(store, &sizes, e))
        return false;
    if (!cli->quiet)
        fprintf(stderr, "writing the database anew, %.1f MB, so that no old byte is left: others can read meanwhile, and not write\n",
                (double)sizes.bytes / (1 << 20));
    return store_rewrite(store, e) || err_prefix(e, "the secrets are replaced, but the old bytes are still in the file");
}

int cmd_redact(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct secrets *secrets = NULL;
    struct collection_row collection = {0};
    struct redacted done = {0};
    const char *name = cli_option(cli, "collection");
    struct shown shown = {.quiet = cli->quiet || !isatty(STDERR_FILENO)};
    struct redact_wish wish = {.dry_run = cli_flag(cli, "dry-run"), .stop = &cli_stop, .progress = show_progress, .refused = show_refused, .ctx = &shown};
    cli->redact = true;
    bool ok = cli_secrets(cli, &secrets, &e) && cli_open(cli, wish.dry_run ? STORE_READ : STORE_WRITE, &store, &e) &&
              (!name || store_collection(store, slice_str(name), &cli->arena, &collection, &e));
    wish.collection = collection.id;
    wish.secrets = secrets;
    ok = ok && store_redact(store, &wish, &cli->arena, &done, &e) && (wish.dry_run || rewrite(cli, store, &e));
    store_close(store);
    if (ok && cli->output == OUTPUT_JSON)
        print_json(secrets, &done);
    else if (ok)
        print_text(secrets, &done, wish.dry_run);
    secrets_unref(secrets);
    return !ok ? cli_fail(&e) : done.refused ? 1 : 0;
}
