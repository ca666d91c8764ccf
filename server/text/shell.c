#include "text/shell.h"

#include "base/str.h"

enum { COMMAND_MAX = 1 << 16, DEPTH_MAX = 3, HEREDOCS_MAX = 8, WORD_MAX = 4096 };

struct reader {
    struct arena *a;
    struct slice text;
    size_t at;
    struct slice heredocs[HEREDOCS_MAX]; /* their ends, which are looked for behind the line */
    size_t nheredocs;
    struct slice *out;
    size_t n, max;
    int depth;
};

static void read_commands(struct reader *r);

static char peek(const struct reader *r, size_t ahead)
{
    return r->at + ahead < r->text.len ? r->text.ptr[r->at + ahead] : '\0';
}

static bool is_any_of(char c, const char *set) { return c && strchr(set, c); }
static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
static bool ends_word(char c) { return is_blank(c) || is_any_of(c, "\n;&|()<>"); }
static bool at_end(const struct reader *r) { return r->at >= r->text.len; }

static bool is_among(struct slice word, const char *const *list)
{
    for (; *list; list++)
        if (slice_is(word, *list))
            return true;
    return false;
}

/* Past the `)` or backtick that ends what was begun before it. */
static void skip_substitution(struct reader *r, char end)
{
    for (int open = 1; !at_end(r) && open; r->at++) {
        char c = peek(r, 0);
        if (c == '\\')
            r->at++;
        else if (c == end)
            open--;
        else if (c == '(' && end == ')')
            open++;
    }
}

static void read_quoted(struct reader *r, char quote, struct str *word)
{
    for (r->at++; !at_end(r) && peek(r, 0) != quote; r->at++) {
        if (quote == '"' && peek(r, 0) == '\\' && r->at + 1 < r->text.len)
            r->at++;
        str_addc(word, peek(r, 0));
    }
    r->at++;
}

/* The next word, unquoted; substitutions in it become "$". Absent at the end of a command. */
static struct slice read_word(struct reader *r)
{
    struct str word = STR_INIT(WORD_MAX);
    while (is_blank(peek(r, 0)) || (peek(r, 0) == '\\' && peek(r, 1) == '\n'))
        r->at += peek(r, 0) == '\\' ? 2 : 1;
    if (at_end(r) || ends_word(peek(r, 0)) || peek(r, 0) == '#')
        return SLICE_NONE;
    while (!at_end(r) && !ends_word(peek(r, 0))) {
        char c = peek(r, 0);
        if (c == '\'' || c == '"') {
            read_quoted(r, c, &word);
        } else if (c == '`' || (c == '$' && peek(r, 1) == '(')) {
            r->at += c == '`' ? 1 : 2;
            skip_substitution(r, c == '`' ? '`' : ')');
            str_addc(&word, '$');
        } else {
            r->at += c == '\\';
            if (!at_end(r))
                str_addc(&word, peek(r, 0));
            r->at++;
        }
    }
    struct slice out = arena_dup(r->a, str_slice(&word));
    str_free(&word);
    return out;
}

/* At `<` or `>`: the operator and what it names; a here-document's end is kept for the line's end. */
static void read_redirection(struct reader *r)
{
    bool here = peek(r, 0) == '<' && peek(r, 1) == '<' && peek(r, 2) != '<';
    while (!at_end(r) && is_any_of(peek(r, 0), "<>&|"))
        r->at++;
    if (here && peek(r, 0) == '-')
        r->at++;
    if (peek(r, 0) == '(') { /* <(…) */
        r->at++;
        skip_substitution(r, ')');
        return;
    }
    struct slice word = read_word(r);
    if (here && word.len && r->nheredocs < HEREDOCS_MAX)
        r->heredocs[r->nheredocs++] = word;
}

/* At the start of a line: past the here-documents that the line before began. */
static void skip_heredocs(struct reader *r)
{
    for (size_t i = 0; i < r->nheredocs; i++)
        while (!at_end(r)) {
            struct slice rest = slice_sub(r->text, r->at, r->text.len), line = slice_take(&rest, '\n');
            r->at = r->text.len - rest.len;
            if (slice_eq(slice_trim(line), r->heredocs[i]))
                break;
        }
    r->nheredocs = 0;
}

static void skip_comment(struct reader *r)
{
    while (!at_end(r) && peek(r, 0) != '\n')
        r->at++;
}

/* ---- what a command runs --------------------------------------------------------------------------------------------- */

static bool is_assignment(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        bool name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i && c >= '0' && c <= '9');
        if (c == '=' || (c == '+' && i + 1 < word.len && word.ptr[i + 1] == '='))
            return i > 0;
        if (!name)
            return false;
    }
    return false;
}

static struct slice base_name(struct slice word)
{
    static const char *const folders[] = {"bin", "sbin", NULL};
    const char *slash = word.len ? memrchr(word.ptr, '/', word.len) : NULL;
    if (!slash)
        return word;
    struct slice folder = slice_of(word.ptr, (size_t)(slash - word.ptr)), name = slice_sub(word, folder.len + 1, word.len);
    const char *before = folder.len ? memrchr(folder.ptr, '/', folder.len) : NULL;
    if (before)
        folder = slice_sub(folder, (size_t)(before - folder.ptr) + 1, folder.len);
    return name.len && is_among(folder, folders) ? name : slice_str("./");
}

static bool is_program(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || is_any_of(c, "._+-/[:")))
            return false;
    }
    return name.len > 0 && name.len <= SHELL_PROGRAM_MAX && name.ptr[0] != '-';
}

static void add_program(struct reader *r, struct slice name)
{
    if (is_program(name) && r->n < r->max && !(r->n && slice_eq(r->out[r->n - 1], name)))
        r->out[r->n++] = name;
}

/* Programs that run another: what stands between the two beside options. */
static const struct wrapper {
    const char *name, *valued; /* options that take the next word */
    size_t operands;
} wrappers[] = {
    {"sudo", "ugpCDhRT", 0}, {"doas", "uC", 0},  {"env", "uCS", 0},      {"timeout", "ks", 1}, {"nohup", "", 0}, {"nice", "n", 0},
    {"time", "fo", 0},       {"exec", "a", 0},   {"command", "", 0},     {"builtin", "", 0},   {"stdbuf", "ioe", 0}, {"ionice", "cnp", 0},
    {"setsid", "", 0},       {"unbuffer", "", 0}, {"chroot", "", 1},     {"xvfb-run", "ns", 0},
};

static const struct wrapper *wrapper_of(struct slice name)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if (slice_is(name, wrappers[i].name))
            return &wrappers[i];
    return NULL;
}

static bool is_shell(struct slice name)
{
    static const char *const shells[] = {"bash", "sh", "zsh", "dash", "ash", "ksh", NULL};
    return is_among(name, shells);
}

/* The next word of the simple command, redirections left out; absent at its end. */
static struct slice next_word(struct reader *r)
{
    for (;;) {
        struct slice word = read_word(r);
        char c = peek(r, 0);
        bool descriptor = word.len == 1 && word.ptr[0] >= '0' && word.ptr[0] <= '9' && (c == '<' || c == '>');
        if (word.ptr && !descriptor)
            return word;
        if (c == '&' && peek(r, 1) == '>')
            r->at++;
        else if (c != '<' && c != '>')
            return SLICE_NONE;
        read_redirection(r);
    }
}

/* `bash -c TEXT`, `bash -lc TEXT`: what the text runs. */
static bool read_inner(struct reader *r)
{
    struct slice word = next_word(r);
    while (word.len > 1 && word.ptr[0] == '-' && !memchr(word.ptr, 'c', word.len))
        word = next_word(r);
    if (word.len < 2 || word.ptr[0] != '-' || word.ptr[1] == '-' || r->depth == DEPTH_MAX)
        return false;
    struct reader inner = {.a = r->a, .text = next_word(r), .out = r->out, .n = r->n, .max = r->max, .depth = r->depth + 1};
    read_commands(&inner);
    bool any = inner.n > r->n;
    r->n = inner.n;
    return any;
}

/* The words that a wrapper takes for itself; returns the program behind it. */
static struct slice behind(struct reader *r, const struct wrapper *w)
{
    size_t operands = w->operands;
    for (;;) {
        struct slice word = next_word(r);
        if (word.len > 1 && word.ptr[0] == '-') {
            if (word.len == 2 && is_any_of(word.ptr[1], w->valued))
                next_word(r);
        } else if (!is_assignment(word)) {
            if (!word.ptr || !operands--)
                return word;
        }
    }
}

/* One simple command from its first word on, to its end. */
static void read_simple(struct reader *r, struct slice word)
{
    while (is_assignment(word))
        word = next_word(r);
    struct slice name = base_name(word);
    for (const struct wrapper *w; (w = wrapper_of(name));) {
        struct slice inner = behind(r, w);
        if (!inner.ptr)
            break;
        name = base_name(inner);
    }
    if (!is_shell(name) || !read_inner(r))
        add_program(r, name);
    while (next_word(r).ptr)
        ;
}

/* Words after which another command may follow, and those whose command is only words. */
static const char *const openers[] = {"if", "then", "elif", "else", "while", "until", "do", "!", "{", "}", "fi", "done", "esac", NULL};
static const char *const clauses[] = {"for", "select", "case", "function", "in", NULL};

static void read_commands(struct reader *r)
{
    r->text = slice_sub(r->text, 0, COMMAND_MAX);
    while (!at_end(r) && r->n < r->max) {
        struct slice word = next_word(r);
        if (word.ptr) {
            if (slice_is(word, "[["))
                while (word.ptr && !slice_is(word, "]]"))
                    word = next_word(r);
            else if (is_among(word, clauses))
                while (next_word(r).ptr)
                    ;
            else if (!is_among(word, openers))
                read_simple(r, word);
            continue;
        }
        if (peek(r, 0) == '#')
            skip_comment(r);
        bool line = peek(r, 0) == '\n';
        r->at++;
        if (line)
            skip_heredocs(r);
    }
}

size_t shell_programs(struct arena *a, struct slice command, struct slice *out, size_t max)
{
    struct reader r = {.a = a, .text = command, .out = out, .max = max};
    read_commands(&r);
    return r.n;
}
