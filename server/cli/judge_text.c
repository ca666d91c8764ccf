/* Rubrics as texts: made, edited, checked, drafted. What somebody wrote is never lost: where it has a mistake, it stays in a file that is named. */
#include "cli/judge.h"
#include "detect/pack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_BYTES = 16 << 20 };

/* ---- reading and writing ------------------------------------------------------------------------------------------------- */

static bool read_stdin(struct cli *cli, struct slice *out, struct err *e)
{
    struct str text = STR_INIT(TEXT_BYTES);
    char buffer[1 << 14];
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, stdin)) > 0)
        str_add(&text, buffer, n);
    *out = arena_dup(&cli->arena, str_slice(&text));
    bool ok = !text.full || err_set(e, ERR_TOO_LARGE, "stdin has over %d MB", TEXT_BYTES >> 20);
    str_free(&text);
    return ok;
}

static bool read_text(struct cli *cli, const char *path, struct slice *out, struct err *e)
{
    return strcmp(path, "-") == 0 ? read_stdin(cli, out, e) : pack_file_read(&cli->arena, path, out, e);
}

/* To --to (which must not exist yet), else to stdout. */
static bool write_text(struct cli *cli, struct slice text, struct err *e)
{
    const char *path = cli_option(cli, "to");
    FILE *f = path ? fopen(path, "wx") : stdout;
    bool good = f && fwrite(text.ptr, 1, text.len, f) == text.len;
    if (!good)
        err_errno(e, "cannot write %s", path ? path : "stdout");
    if (path && f && fclose(f) != 0 && good)
        good = err_errno(e, "cannot write %s", path);
    return good;
}

static void print_problems(const struct problems *problems, const char *file)
{
    for (size_t i = 0; i < problems->n; i++) {
        fprintf(stderr, "%s:%d:%d: ", file, problems->items[i].line, problems->items[i].column);
        judge_print(stderr, problems->items[i].message);
        fputc('\n', stderr);
    }
}

/* ---- the editor ---------------------------------------------------------------------------------------------------------- */

static const char *editor(void)
{
    static const char *const names[] = {"VISUAL", "EDITOR"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return value;
    }
    return NULL;
}

static bool run_editor(struct cli *cli, const char *program, const char *file, struct err *e)
{
    const char *line = arena_printf(&cli->arena, "%s \"$1\"", program).ptr; /* it may have arguments of its own, as "code --wait" */
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", line, "sh", file, (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child < 0)
        return err_errno(e, "cannot start %s", program);
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) || err_set(e, ERR_IO, "%s did not end well; what you wrote is in %s", program, file);
}

/* A new file with this text, which nobody else can read. */
static bool draft_file(struct cli *cli, struct slice name, struct slice text, char **out, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    *out = arena_strdup(&cli->arena, arena_printf(&cli->arena, "%s/%.*s-XXXXXX.yaml", tmp && *tmp ? tmp : "/tmp", SLICE_ARG(name)));
    int fd = mkstemps(*out, 5);
    bool ok = fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len;
    if (!ok)
        err_errno(e, "cannot write %s", *out);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* ---- new, edit ----------------------------------------------------------------------------------------------------------- */

/* What the members of two rubrics differ in: "question, counts". */
static struct slice changes(struct arena *a, struct slice before, struct slice after)
{
    struct jvalue *b = NULL, *n = NULL;
    struct str text = STR_INIT(2000);
    if (!jread(a, before, NULL, NULL, &b, NULL) || !jread(a, after, NULL, NULL, &n, NULL))
        return SLICE_NONE;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct jvalue *was = jget_slice(b, n->keys[i]);
        if (!was || !slice_eq(was->raw, n->items[i].raw))
            str_printf(&text, "%s%.*s", text.len ? ", " : "", SLICE_ARG(n->keys[i]));
    }
    for (uint32_t i = 0; i < b->n; i++)
        if (!jget_slice(n, b->keys[i]))
            str_printf(&text, "%s%.*s (gone)", text.len ? ", " : "", SLICE_ARG(b->keys[i]));
    struct slice out = arena_dup(a, str_slice(&text));
    str_free(&text);
    return out;
}

/* A text on its way into the store. */
struct edit {
    struct slice name, text;
    const char *file;           /* where it stands */
    const struct rubric_row *before; /* NULL: it is new */
};

static bool store_edit(struct cli *cli, struct store *store, const struct edit *edit, struct err *e)
{
    struct problems problems = {0};
    struct rubric r;
    struct rubric_row out;
    bool added;
    if (!rubric_parse(edit->text, slice_str(edit->file), &cli->arena, &cli->arena, &problems, &r)) {
        print_problems(&problems, edit->file);
        return err_set(e, ERR_FORMAT, "nothing was stored; mend %s, then: telltale judge %s %.*s --from %s", edit->file,
                       edit->before ? "edit" : "new", SLICE_ARG(edit->name), edit->file);
    }
    const char *user = getenv("USER");
    struct rubric_row row = {.name = r.name, .title = r.title, .behavior = r.behavior, .body = r.body, .version = -1,
                             .author = user && *user ? slice_str(user) : SLICE_NONE, .note = slice_str(cli_option(cli, "note"))};
    memcpy(row.hash, r.hash, HASH_SIZE);
    bool ok = slice_eq(r.name, edit->name) || err_set(e, ERR_USAGE, "%s is of a rubric named %.*s, not %.*s", edit->file, SLICE_ARG(r.name), SLICE_ARG(edit->name));
    ok = ok && store_rubric_put(store, &row, edit->before ? edit->before->version : 0, &cli->arena, &out, &added, e);
    if (ok && cli->output == OUTPUT_JSON) {
        struct str text = STR_INIT(TEXT_BYTES);
        struct jsonw j = jsonw_to(&text);
        ok = store_rubric(store, r.name, out.version, &cli->arena, &out, e);
        if (ok)
            view_rubric(&j, &out);
        printf("%.*s%s", SLICE_ARG(str_slice(&text)), ok ? "\n" : "");
        str_free(&text);
    } else if (ok && !added) {
        printf("nothing changed: this is version %" PRId64 " of %.*s\n", out.version, SLICE_ARG(out.name));
    } else if (ok) {
        struct slice what = edit->before ? changes(&cli->arena, edit->before->body, r.body) : SLICE_NONE;
        printf("%.*s: version %" PRId64 " stored%s%.*s\n", SLICE_ARG(r.name), out.version, what.len ? "; changed: " : "", SLICE_ARG(what));
    }
    rubric_free(&r);
    return ok;
}

/* Lets the text be edited and stores what came of it. The draft goes only when it is in the store. */
static bool edit_and_store(struct cli *cli, struct store *store, struct edit *edit, struct err *e)
{
    const char *program = editor();
    char *file;
    if (!program)
        return err_set(e, ERR_USAGE, "no editor: set $EDITOR, or write the text to a file and give it with --from FILE");
    if (!draft_file(cli, edit->name, edit->text, &file, e) || !run_editor(cli, program, file, e) ||
        !pack_file_read(&cli->arena, file, &edit->text, e))
        return false;
    edit->file = file;
    if (!store_edit(cli, store, edit, e))
        return e->code == ERR_FORMAT ? false : err_prefix(e, "what you wrote is in %s", file);
    unlink(file);
    return true;
}

/* The text of a rubric under another name. */
static bool copy_of(struct cli *cli, struct store *store, struct slice like, struct slice name, struct slice *out, struct err *e)
{
    struct slice old;
    int64_t version;
    struct rubric_row row;
    struct rubric r;
    struct str text = STR_INIT(TEXT_BYTES), renamed = STR_INIT(TEXT_BYTES);
    if (!rubrics_name(like, &old, &version, e) || !rubrics_find(store, old, version, &cli->arena, &row, &r, e))
        return false;
    rubric_write_yaml(&text, &r);
    rubric_free(&r);
    for (struct slice rest = str_slice(&text); rest.len;) {
        struct slice line = slice_take(&rest, '\n');
        if (slice_starts(line, "name:"))
            str_printf(&renamed, "name: %.*s\n", SLICE_ARG(name));
        else
            str_printf(&renamed, "%.*s\n", SLICE_ARG(line));
    }
    *out = arena_dup(&cli->arena, str_slice(&renamed));
    str_free(&text);
    str_free(&renamed);
    return true;
}

static bool new_text(struct cli *cli, struct store *store, struct slice name, struct slice *out, struct err *e)
{
    const char *like = cli_option(cli, "like"), *from = cli_option(cli, "from");
    struct str text = STR_INIT(TEXT_BYTES);
    if (from)
        return read_text(cli, from, out, e);
    if (like)
        return copy_of(cli, store, slice_str(like), name, out, e);
    rubric_template(&text, name);
    *out = arena_dup(&cli->arena, str_slice(&text));
    str_free(&text);
    return true;
}

int judge_new(struct cli *cli)
{
    struct err e = {0}, none = {0};
    struct store *store = NULL;
    struct rubric_row row;
    const char *from = cli_option(cli, "from");
    struct edit edit = {.name = slice_str(cli->args[1]), .file = from};
    bool ok = judge_open(cli, &store, &e);
    if (ok && store_rubric(store, edit.name, 0, &cli->arena, &row, &none))
        ok = err_set(&e, ERR_CONFLICT, "there is a rubric %s already: telltale judge edit %s", cli->args[1], cli->args[1]);
    ok = ok && new_text(cli, store, edit.name, &edit.text, &e);
    if (ok && from)
        ok = store_edit(cli, store, &edit, &e);
    else if (ok && !cli_option(cli, "to") && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && editor())
        ok = edit_and_store(cli, store, &edit, &e);
    else if (ok && (ok = write_text(cli, edit.text, &e)) && !cli->quiet)
        fprintf(stderr, "a text to begin with; telltale judge new %s --from FILE stores it\n", cli->args[1]);
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}

int judge_edit(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct rubric_row row;
    struct rubric r;
    struct slice name = slice_str(cli->args[1]);
    const char *from = cli_option(cli, "from");
    struct edit edit = {.name = name, .file = from, .before = &row};
    bool ok = judge_open(cli, &store, &e) && rubrics_find(store, name, 0, &cli->arena, &row, &r, &e);
    if (ok && !from) {
        struct str text = STR_INIT(TEXT_BYTES);
        rubric_write_yaml(&text, &r);
        edit.text = arena_dup(&cli->arena, str_slice(&text));
        str_free(&text);
    }
    if (ok)
        rubric_free(&r);
    ok = ok && (from ? read_text(cli, from, &edit.text, &e) && store_edit(cli, store, &edit, &e) : edit_and_store(cli, store, &edit, &e));
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}

/* ---- check --------------------------------------------------------------------------------------------------------------- */

static void problems_json(struct jsonw *j, const char *file, const struct problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        jsonw_object(j);
        jsonw_kstrz(j, "file", file);
        jsonw_kint(j, "line", problems->items[i].line);
        jsonw_kint(j, "column", problems->items[i].column);
        jsonw_kstr(j, "message", problems->items[i].message);
        jsonw_end(j);
    }
}

int judge_check(struct cli *cli)
{
    struct err e = {0};
    size_t found = 0, good = 0;
    bool ok = true;
    struct str text = STR_INIT(TEXT_BYTES);
    struct jsonw j = jsonw_to(&text);
    jsonw_object(&j);
    jsonw_key(&j, "problems");
    jsonw_array(&j);
    for (size_t i = 1; ok && i < cli->nargs; i++) {
        struct problems problems = {0};
        struct slice yaml;
        struct rubric r;
        ok = read_text(cli, cli->args[i], &yaml, &e);
        if (ok && rubric_parse(yaml, slice_str(cli->args[i]), &cli->arena, &cli->arena, &problems, &r)) {
            rubric_free(&r);
            good++;
        }
        found += problems.n;
        problems_json(&j, cli->args[i], &problems);
        for (size_t k = 0; cli->output != OUTPUT_JSON && k < problems.n; k++)
            printf("%s:%d:%d: %.*s\n", cli->args[i], problems.items[k].line, problems.items[k].column, SLICE_ARG(problems.items[k].message));
    }
    jsonw_end(&j);
    jsonw_kint(&j, "rubrics", (int64_t)good);
    jsonw_end(&j);
    if (ok && cli->output == OUTPUT_JSON)
        printf("%.*s\n", SLICE_ARG(str_slice(&text)));
    else if (ok)
        printf("%zu rubric%s, %zu problem%s\n", good, good == 1 ? "" : "s", found, found == 1 ? "" : "s");
    str_free(&text);
    return ok ? found > 0 : cli_fail(&e);
}

/* ---- draft --------------------------------------------------------------------------------------------------------------- */

static bool draft_wish_of(struct cli *cli, struct draft_wish *out, struct err *e)
{
    static const struct {
        const char *member, *option;
    } texts[] = {{"rubric", "improve"}, {"collection", "collection"}, {"set", "set"}, {"model", "model"}};
    struct str text = STR_INIT(TEXT_BYTES);
    struct jsonw j = jsonw_to(&text);
    struct jvalue *body = NULL;
    if ((cli->nargs > 1) == (cli_option(cli, "improve") != NULL))
        return err_set(e, ERR_USAGE, "say in a sentence what is to be asked, or name the rubric to --improve");
    jsonw_object(&j);
    jsonw_kstr(&j, "sentence", slice_str(cli->args[1]));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        jsonw_kstr(&j, texts[i].member, slice_str(cli_option(cli, texts[i].option)));
    judge_caps(cli, &j);
    jsonw_end(&j);
    struct slice json = arena_dup(&cli->arena, str_slice(&text));
    str_free(&text);
    return jread(&cli->arena, json, NULL, NULL, &body, e) && draft_wish_parse(body, &cli->arena, out, e);
}

static bool show_draft(struct cli *cli, const struct job_row *row, struct err *e)
{
    struct jvalue *result = NULL;
    if (cli->output == OUTPUT_JSON) {
        printf("%.*s\n", SLICE_ARG(row->result));
        return true;
    }
    if (!jread(&cli->arena, row->result, NULL, NULL, &result, e) || !write_text(cli, jstr(jget(result, "text")), e))
        return false;
    const struct jvalue *questions = jget(result, "questions"), *problems = jget(result, "problems");
    for (uint32_t i = 0; jis(problems, J_ARRAY) && i < problems->n; i++) {
        fputs("problem: ", stderr);
        judge_print(stderr, jstr(jget(&problems->items[i], "message")));
        fputc('\n', stderr);
    }
    for (uint32_t i = 0; jis(questions, J_ARRAY) && i < questions->n; i++) {
        fputs("unclear: ", stderr);
        judge_print(stderr, jstr(&questions->items[i]));
        fputc('\n', stderr);
    }
    static const char *const sides[] = {"before", "after"};
    for (size_t i = 0; i < 2; i++)
        if (jis(jget(result, sides[i]), J_OBJECT))
            fprintf(stderr, "%s: %.*s\n", sides[i], SLICE_ARG(jraw(&cli->arena, jget(result, sides[i]))));
    return true;
}

int judge_draft(struct cli *cli)
{
    struct err e = {0};
    struct store *store = NULL;
    struct models models;
    struct draft_wish wish;
    struct job_row out;
    bool ok = draft_wish_of(cli, &wish, &e) && judge_open(cli, &store, &e) && models_all(store, judge_config(cli), &cli->arena, &models, &e) &&
              draft_wish_complete(store, &models, &wish, &cli->arena, &e);
    const struct job_row job = {.kind = slice_str("draft"), .collection = ok ? wish.collection : SLICE_NONE,
                                .payload = ok ? draft_wish_write(&cli->arena, &wish) : SLICE_NONE};
    ok = ok && judge_job(cli, store, &job, &out, &e);
    if (ok && out.state != JOB_DONE)
        ok = err_set(&e, out.state == JOB_CANCELLED ? ERR_CANCELLED : ERR_IO, "no draft: %.*s", SLICE_ARG(out.error.ptr ? out.error : slice_str("stopped")));
    ok = ok && show_draft(cli, &out, &e);
    store_close(store);
    return ok ? 0 : cli_fail(&e);
}
