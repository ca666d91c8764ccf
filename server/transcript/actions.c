#include "transcript/actions.h"

#include "text/jread.h"
#include "text/shell.h"

#include <pthread.h>

enum { ARGUMENTS_MAX = 1 << 18, VERB_MAX = 32 };

/* ---- actions --------------------------------------------------------------------------------------------------------- */

static bool is_any_of(char c, const char *set) { return c && strchr(set, c); }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/* Is one of the words in a tool's name (run_shell_command, executeBash) that of a shell? */
static bool names_shell(struct slice name)
{
    static const char *const words[] = {
        "bash", "sh", "zsh", "shell", "terminal", "console", "exec", "execute", "command", "cmd", "powershell"};
    for (size_t i = 0; i < name.len;) {
        size_t start = i;
        for (i++; i < name.len && is_letter(name.ptr[i]) && is_letter(name.ptr[start]); i++)
            if (is_upper(name.ptr[i]) && !is_upper(name.ptr[i - 1]))
                break;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (slice_eq_nocase(slice_sub(name, start, i - start), slice_str(words[k])))
                return true;
    }
    return false;
}

/* The text of an argument; a list of words (["bash", "-lc", "ls"]) as a command line. */
static struct slice argument_text(struct arena *a, const struct jvalue *v)
{
    if (!jis(v, J_ARRAY) || !v->n)
        return jstr(v);
    if (v->n == 3 && slice_starts(jstr(&v->items[1]), "-"))
        return jstr(&v->items[2]);
    struct slice line = jstr(&v->items[0]);
    for (size_t i = 1; i < v->n && i < ACTIONS_OF_CALL; i++)
        line = arena_printf(a, "%.*s %.*s", SLICE_ARG(line), SLICE_ARG(jstr(&v->items[i])));
    return line;
}

static struct slice first_text(struct arena *a, const struct jvalue *object, const char *const *keys)
{
    for (; *keys; keys++) {
        struct slice text = argument_text(a, jget(object, *keys));
        if (text.len)
            return text;
    }
    return SLICE_NONE;
}

static bool is_verb(struct slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!is_letter(word.ptr[i]) && !(word.ptr[i] >= '0' && word.ptr[i] <= '9') && !is_any_of(word.ptr[i], "_-."))
            return false;
    return word.len > 0 && word.len <= VERB_MAX;
}

static void add_action(struct arena *a, struct actions *out, struct slice tool, struct slice what, uint32_t call)
{
    struct slice name = what.len ? arena_printf(a, "%.*s: %.*s", SLICE_ARG(tool), SLICE_ARG(what)) : arena_dup(a, tool);
    out->items = arena_grow(a, out->items, out->n, &out->cap, sizeof *out->items);
    out->items[out->n++] = (struct action){name, call};
}

void actions_of_call(struct arena *a, struct arena *scratch, const struct tool_call *call, uint32_t place, struct actions *out)
{
    static const char *const commands[] = {
        "command", "cmd", "commands", "script", "bash_command", "shell_command", "keystrokes", "input", "code", NULL};
    static const char *const verbs[] = {"action", "command", "operation", "op", "method", "subcommand", "mode", "type", NULL};
    struct slice tool = slice_cut(slice_trim(call->name), ACTION_MAX - SHELL_PROGRAM_MAX - 2);
    struct slice line = SLICE_NONE, verb = SLICE_NONE;
    struct jvalue *v = NULL;
    bool shell = names_shell(tool);
    if (!tool.len)
        tool = slice_str("?");
    if (call->parse_error.ptr) {
        line = shell ? call->arguments : SLICE_NONE;
    } else if (call->arguments.len <= ARGUMENTS_MAX && jread(scratch, call->arguments, NULL, NULL, &v, NULL)) {
        line = v->type != J_OBJECT ? argument_text(scratch, v) : first_text(scratch, v, commands);
        verb = first_text(scratch, v, verbs);
    }
    struct slice programs[ACTIONS_OF_CALL];
    size_t n = shell && line.len && !(is_verb(line) && slice_eq(line, jstr(jget(v, "command"))) && jget(v, "path"))
                   ? shell_programs(scratch, line, programs, ACTIONS_OF_CALL) : 0;
    for (size_t i = 0; i < n; i++)
        add_action(a, out, tool, programs[i], place);
    if (!n)
        add_action(a, out, tool, !shell && is_verb(verb) ? verb : SLICE_NONE, place);
    arena_reset(scratch);
}

/* ---- error lines ----------------------------------------------------------------------------------------------------- */

enum {
    TEXT_MAX = 1 << 14,       /* of one result: its end, where errors stand */
    LINE_MAX_BYTES = 240,
    LATE_RESULTS = 3,
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }
static bool is_path(char c) { return is_letter(c) || is_digit(c) || is_any_of(c, "/._-+~@%="); }

/* FNV-1a, in 64 bits (Fowler, Noll, Vo): quick, and nobody gains by a line that is taken for another. */
static uint64_t add_byte(uint64_t hash, char c) { return (hash ^ (unsigned char)c) * UINT64_C(0x100000001b3); }

/* How long a quotation or bracket is that begins here; 0: none does. What is named in it differs from call to call. */
static size_t quoted_length(struct slice s)
{
    static const char *const pairs[] = {"''", "\"\"", "``", "[]", "()", "{}", "<>"};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *end = s.ptr[0] == pairs[i][0] ? memchr(s.ptr + 1, pairs[i][1], s.len - 1) : NULL;
        if (end)
            return (size_t)(end - s.ptr) + 1;
    }
    return 0;
}

uint64_t error_line_hash(struct slice line)
{
    enum { HEX_LEAST = 6 };
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    line = slice_trim(slice_cut(line, LINE_MAX_BYTES));
    for (size_t i = 0; i < line.len;) {
        size_t start = i;
        char c = line.ptr[i];
        bool inside = i > 0 && (is_letter(line.ptr[i - 1]) || is_digit(line.ptr[i - 1]));
        size_t prefix = c == '0' && i + 1 < line.len && line.ptr[i + 1] == 'x' ? 2 : 0;
        for (i += prefix; i < line.len && is_hex(line.ptr[i]);)
            i++;
        size_t hex = i - start;
        for (i = start; i < line.len && is_space(line.ptr[i]);)
            i++;
        size_t quoted = i > start ? 0 : quoted_length(slice_sub(line, start, line.len));
        if (i > start) {
            hash = add_byte(hash, ' ');
        } else if (quoted) {
            i = start + quoted;
            hash = add_byte(hash, '"');
        } else if (c == '/' && i + 1 < line.len && is_path(line.ptr[i + 1])) {
            while (i < line.len && is_path(line.ptr[i]))
                i++;
            hash = add_byte(hash, '/');
        } else if (!inside && (hex >= HEX_LEAST || (prefix && hex > prefix)) &&
                   (start + hex == line.len || !is_letter(line.ptr[start + hex]))) {
            i = start + hex;
            hash = add_byte(hash, '0');
        } else if (is_digit(c)) {
            while (i < line.len && is_digit(line.ptr[i]))
                i++;
            hash = add_byte(hash, '0');
        } else {
            i = start + 1;
            hash = add_byte(hash, is_upper(c) ? (char)(c + 32) : c);
        }
    }
    return hash ? hash : 1;
}

/* Words by which a line says that something went wrong in the world around the agent, and those by which it does not count: the
 * exceptions of a language, which are for the agent's own code and tests to raise. */
static const char *const error_words[] = {
    "error", "Error", "ERROR", "Exception", "exception:", "fatal", "Fatal", "FATAL", "cannot ", "Cannot ", "can't ", "could not ",
    "Could not ", "couldn't ", "not found", "no such ", "No such ", "denied", "connection refused", "Connection refused", "timed out",
    "timeout", "Timeout", "TIMEOUT", "failed to ", "Failed to ", "unable to ", "Unable to ", "not permitted", "unavailable", "unreachable", "unsupported",
    "not supported", "no space left", "No space left", "out of memory", "Out of memory", "Killed", "was killed", "egmentation fault",
    "ead-only", "not installed", "not exist",
};
static const char *const own_words[] = {
    "AssertionError", "ValueError", "TypeError", "NameError", "KeyError", "IndexError", "AttributeError", "SyntaxError",
    "IndentationError", "ZeroDivisionError", "UnboundLocalError", "RecursionError", "Traceback", "0 errors", "no error", "No error",
    "errors=",
};
enum { ERROR_WORDS = sizeof error_words / sizeof *error_words, OWN_WORDS = sizeof own_words / sizeof *own_words };

/* Marked where one of the words begins with four bytes of that hash: one look a byte, since every result passes here. */
enum { GRAM = 4, STARTS = 1 << 12 };
static unsigned char starts[STARTS];
static pthread_once_t starts_once = PTHREAD_ONCE_INIT;

static uint32_t start_hash(const char *p)
{
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return n * UINT32_C(2654435761) >> 20;
}

static void make_starts(void)
{
    for (size_t i = 0; i < ERROR_WORDS; i++)
        starts[start_hash(error_words[i])] = 1;
}

static bool is_error_at(struct slice text, size_t at)
{
    if (!starts[start_hash(text.ptr + at)])
        return false;
    if (text.ptr[at] == 'e' && at && is_letter(text.ptr[at - 1])) /* terror is none */
        return false;
    for (size_t i = 0; i < ERROR_WORDS; i++)
        if (slice_starts(slice_sub(text, at, text.len), error_words[i]))
            return true;
    return false;
}

/* What is longer is told, not reported. */
static bool is_prose(struct slice line)
{
    enum { WORDS_MOST = 24 };
    size_t words = 0;
    for (size_t i = 1; i < line.len; i++)
        words += line.ptr[i] == ' ' && line.ptr[i - 1] != ' ';
    return words >= WORDS_MOST;
}

static bool is_own(struct slice line)
{
    for (size_t i = 0; i < OWN_WORDS; i++)
        if (slice_find(line, slice_str(own_words[i])) >= 0)
            return true;
    return false;
}

struct error_lines {
    struct error_line items[DIGEST_ERRORS]; /* a ring of the last ones */
    size_t n;
};

static void add_line(struct error_lines *to, struct error_line line)
{
    size_t kept = 0;
    for (size_t i = 0; i < to->n; i++) /* an earlier one of the same words goes */
        if (to->items[i].hash != line.hash)
            to->items[kept++] = to->items[i];
    to->n = kept;
    if (to->n == DIGEST_ERRORS)
        memmove(to->items, to->items + 1, --to->n * sizeof *to->items);
    to->items[to->n++] = line;
}

/* The error lines at the end of a text; false: there are none. */
static bool add_lines(struct error_lines *to, struct slice text, struct error_line place)
{
    bool any = false;
    pthread_once(&starts_once, make_starts);
    for (size_t at = text.len > TEXT_MAX ? text.len - TEXT_MAX : 0; at + GRAM <= text.len; at++) {
        if (!is_error_at(text, at))
            continue;
        const char *before = memrchr(text.ptr, '\n', at), *after = memchr(text.ptr + at, '\n', text.len - at);
        size_t start = before ? (size_t)(before - text.ptr) + 1 : 0, end = after ? (size_t)(after - text.ptr) : text.len;
        struct slice line = slice_trim(slice_sub(text, start, end - start));
        if (line.len <= LINE_MAX_BYTES && !is_prose(line) && !is_own(line)) {
            place.hash = error_line_hash(line);
            place.start = (uint32_t)(line.ptr - text.ptr);
            place.len = (uint32_t)line.len;
            add_line(to, place);
            any = true;
        }
        at = end;
    }
    return any;
}

static uint64_t answer_hash(const struct run *run)
{
    for (size_t i = 0; i < run->nscores; i++) {
        struct slice answer = slice_trim(run->scores[i].answer);
        unsigned char bytes[HASH_SIZE];
        uint64_t hash;
        if (!answer.len)
            continue;
        hash_of(answer, bytes);
        memcpy(&hash, bytes, sizeof hash);
        return hash ? hash : 1;
    }
    return 0;
}

static uint32_t count_results(const struct run *run)
{
    uint32_t n = 0;
    for (size_t t = 0; t < run->ntranscripts; t++)
        for (size_t i = 0; i < run->transcripts[t].nmessages; i++)
            n += run->transcripts[t].messages[i].role == ROLE_TOOL;
    return n;
}

void run_digest_make(struct arena *a, const struct run *run, struct run_digest *out)
{
    struct arena scratch = {0};
    struct error_lines lines = {.n = 0};
    uint32_t message = 0, calls = 0, seen = 0;
    *out = (struct run_digest){.results = count_results(run), .answer = answer_hash(run)};
    for (size_t t = 0; t < run->ntranscripts; t++)
        for (size_t i = 0; i < run->transcripts[t].nmessages; i++, message++) {
            const struct message *m = &run->transcripts[t].messages[i];
            for (size_t c = 0; c < m->ncalls; c++)
                actions_of_call(a, &scratch, &m->calls[c], calls++, &out->actions);
            seen += m->role == ROLE_TOOL;
            struct error_line place = {.message = message, .late = seen + LATE_RESULTS > out->results};
            bool failed = m->role == ROLE_TOOL && add_lines(&lines, m->text, place);
            place.in_error = true;
            failed |= add_lines(&lines, m->error, place) || m->error.len;
            out->failed += failed && m->role == ROLE_TOOL;
        }
    add_lines(&lines, run->error, (struct error_line){.message = UINT32_MAX, .late = true});
    out->errors = arena_array(a, struct error_line, lines.n);
    out->nerrors = lines.n;
    for (size_t i = 0; i < lines.n; i++)
        out->errors[i] = lines.items[i];
    arena_free(&scratch);
}
