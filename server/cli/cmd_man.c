#include "cli/cli.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

enum { MAN_BYTES = 1 << 20 };

static const struct { const char *name, *about; } environment[] = {
    {"TELLTALE_DB", "the database, where --db does not say"},
    {"TELLTALE_CONFIG", "the settings, where --config does not say; else ./telltale.yaml"},
    {"TELLTALE_TOKEN", "the access token that import --to sends"},
    {"TELLTALE_MODEL_URL", "a model for judges: the address of an OpenAI-compatible server or Anthropic's"},
    {"TELLTALE_MODEL", "its name there"},
    {"TELLTALE_MODEL_KEY", "its key"},
    {"TELLTALE_MODEL_API", "openai (default) or anthropic"},
    {"TELLTALE_MODEL_PRICE_IN", "USD for a million tokens that it reads; without both prices only calls can be capped"},
    {"TELLTALE_MODEL_PRICE_OUT", "USD for a million tokens that it writes"},
    {"TELLTALE_MODEL_WINDOW", "tokens that one call may hold"},
    {"TELLTALE_MODEL_CONCURRENCY", "calls at a time"},
    {"XDG_DATA_HOME", "the folder of the default database's folder (default ~/.local/share)"},
    {"TMPDIR", "where what is too large for memory waits while it is read (default /tmp)"},
    {"NOTIFY_SOCKET", "where serve says that it listens and that it stops, as systemd wants it of a service"},
    {"VISUAL", "the editor of judge new and judge edit, else EDITOR"},
    {"EDITOR", "the same, where VISUAL is not set"},
    {"USER", "who reviews, labels and writes rules, where no option says"},
};

/* The code point of a valid sequence of `n` bytes. */
static uint32_t code_point(const char *at, size_t n)
{
    const unsigned char *b = (const unsigned char *)at;
    uint32_t c = n == 1 ? b[0] : b[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (b[i] & 0x3f);
    return c;
}

/* One line of text, so that roff draws each character as it is: hyphens that begin an option stay ASCII, to be copied. A sentence begins a line,
 * by which roff knows how wide the space before it is. */
static void add_text(struct str *out, struct slice line)
{
    static const struct { char c; const char *roff; } special[] = {
        {'\\', "\\e"}, {'~', "\\(ti"}, {'^', "\\(ha"}, {'`', "\\(ga"}, {'\'', "\\(aq"}, {'"', "\\(dq"},
    };
    if (slice_starts(line, "."))
        str_addz(out, "\\&");
    for (size_t i = 0, n; i < line.len; i += n) {
        n = slice_utf8(slice_sub(line, i, SIZE_MAX));
        n = n ? n : 1;
        const char *roff = NULL;
        for (size_t k = 0; k < sizeof special / sizeof *special; k++)
            if (line.ptr[i] == special[k].c)
                roff = special[k].roff;
        if (line.ptr[i] == '-' && (i == 0 || strchr(" -(", line.ptr[i - 1])))
            roff = "\\-";
        if (slice_starts(slice_sub(line, i, SIZE_MAX), ". ") && i + 2 < line.len && isupper((unsigned char)line.ptr[i + 2])) {
            str_addz(out, ".\n");
            n = 2;
        } else if (roff) {
            str_addz(out, roff);
        } else if (n > 1) {
            str_printf(out, "\\[u%04" PRIX32 "]", code_point(line.ptr + i, n));
        } else {
            str_addc(out, line.ptr[i]);
        }
    }
    str_addc(out, '\n');
}

/* Lines; an empty one ends a paragraph, one that is indented stays a line of its own. */
static void add_paragraphs(struct str *out, struct slice text)
{
    bool literal = false;
    while (text.len) {
        struct slice line = slice_take(&text, '\n');
        bool indented = slice_starts(line, " ");
        if (indented != literal)
            str_addz(out, indented ? ".Bd -literal -offset indent\n" : ".Ed\n");
        literal = indented;
        if (line.len)
            add_text(out, slice_trim(line));
        else if (text.len && !slice_starts(text, " "))
            str_addz(out, ".Pp\n");
    }
    if (literal)
        str_addz(out, ".Ed\n");
}

static void add_options(struct str *out, const struct option_row *rows)
{
    if (!rows->name)
        return;
    str_addz(out, ".Bl -tag -width Ds\n");
    for (; rows->name; rows++) {
        str_addz(out, ".It ");
        if (rows->letter)
            str_printf(out, "Fl %c , ", rows->letter);
        str_printf(out, "Fl \\-%s", rows->name);
        if (rows->value)
            str_printf(out, " Ar \\&%s", rows->value);
        str_addc(out, '\n');
        add_text(out, slice_str(rows->help));
    }
    str_addz(out, ".El\n");
}

static void add_ways(struct str *out, const struct command *c)
{
    struct slice rest = slice_str(c->arguments);
    struct way way;
    bool any = false;
    for (; cli_way(c, &rest, &way); any = true) {
        str_printf(out, "%s.It Cm %.*s", any ? "" : ".Bl -tag -width Ds\n", SLICE_ARG(way.word));
        if (way.text.len > way.word.len)
            str_printf(out, " Ar \\&%.*s", SLICE_ARG(slice_sub(way.text, way.word.len + 1, SIZE_MAX)));
        str_addc(out, '\n');
        add_text(out, slice_str(way.about));
    }
    str_addz(out, any ? ".El\n" : "");
}

static void add_commands(struct str *out)
{
    for (const struct command *c = commands; c->name; c++) {
        str_printf(out, ".Ss telltale %s\n.Bd -ragged -offset indent\n.Nm telltale Cm %s\n", c->name, c->name);
        if (*c->arguments)
            add_text(out, slice_str(c->arguments));
        str_addz(out, ".Ed\n.Pp\n");
        struct str about = STR_INIT(MAN_BYTES);
        str_printf(&about, "%c%s.", toupper((unsigned char)*c->about), c->about + 1);
        add_text(out, str_slice(&about));
        str_free(&about);
        add_ways(out, c);
        if (c->details) {
            str_addz(out, ".Pp\n");
            add_paragraphs(out, slice_str(c->details));
        }
        add_options(out, c->options);
    }
}

int cmd_man(struct cli *cli)
{
    (void)cli;
    struct str out = STR_INIT(MAN_BYTES);
    str_printf(&out, ".Dd %s\n.Dt TELLTALE 1\n.Os Telltale %s\n", TELLTALE_RELEASED, TELLTALE_VERSION);
    str_addz(&out, ".Sh NAME\n.Nm telltale\n.Nd find broken tasks, odd runs and near misses in transcripts of AI agents\n"
                   ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar argument ...\n.Op Ar option ...\n"
                   ".Sh DESCRIPTION\n.Nm\n"
                   "reads the transcripts of AI agents and shows which tasks are broken, which runs are odd and which were near misses,\n"
                   "each with the words that prove it.\n"
                   "It keeps what it read in one SQLite database, and shows it on a web page that\n.Nm Cm serve\nserves.\n"
                   ".Pp\nOptions may stand before or after the command and between its arguments; after\n.Fl \\-\nnothing is an option.\n"
                   ".Sh OPTIONS\nFor every command:\n");
    add_options(&out, global_options);
    str_addz(&out, ".Sh COMMANDS\n");
    add_commands(&out);
    str_addz(&out, ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < sizeof environment / sizeof *environment; i++) {
        str_printf(&out, ".It Ev %s\n", environment[i].name);
        add_text(&out, slice_str(environment[i].about));
    }
    str_addz(&out, ".El\n.Sh FILES\n.Bl -tag -width Ds\n"
                   ".It Pa ~/.local/share/telltale/telltale.db\nthe database, unless an option or the environment names another;\n"
                   "uploads wait in\n.Pa telltale.db.spool/\nbeside it\n"
                   ".It Pa ./telltale.yaml\nsettings: rules, detectors, models\n"
                   ".It Pa /etc/telltale/telltale.yaml , /var/lib/telltale/telltale.db\nboth, for the service that the Debian package installs\n.El\n"
                   ".Sh EXIT STATUS\n.Bl -tag -width Ds\n.It 0\ngood\n.It 1\nthe work was done, and something in it was refused or found\n"
                   ".It 2\nwrong usage\n.It 3\nit could not run: no such file, a database that is locked, newer or full\n.El\n"
                   ".Sh EXAMPLES\nLook at the sample collection:\n.Pp\n.Dl telltale serve \\-\\-sample\n"
                   ".Pp\nRead a folder, and list the tasks that are broken:\n.Pp\n.Dl telltale import ~/logs/last-night\n.Dl telltale tasks\n"
                   ".Pp\nFail a build when a new agent does something severe:\n.Pp\n"
                   ".Dl telltale scan transcripts \\-\\-fail-on high \\-\\-baseline telltale.baseline\n");
    fwrite(out.ptr, 1, out.len, stdout);
    str_free(&out);
    return 0;
}
