/* The same thing again and again: what an agent does, and what it says. Two calls are the same where their words are (nearly) equal and
 * the second shows nothing that the first did not: an equal call with another result is waiting, or work. */
#include "detect/det.h"
#include "detect/sketch.h"

#include <stdlib.h>

enum {
    OPEN = 64,          /* what an action is compared with: the newest */
    SHOWN_MAX = 8,
    SAYS_LITTLE = 20,   /* bytes of a result, as of most commands that only do something … */
    SAYS_DONE = 200,    /* … and of one that says that it was done, and to what */
    LINE_CALL = 24,     /* words and pairs of them in a call, from which it says more than a simple command … */
    LONG_CALL = 80,     /* … and is a program */
    MIXED = 5,          /* calls in a search that goes over the same ground */
    PERIOD_MAX = 8,
    RESULT_MAX = 1 << 16,
    CONTAINED_MAX = 1 << 12,
};

/* ---- what was done, and what came of it -------------------------------------------------------------------------- */

struct act {
    const struct tool_call *call;
    const struct message *result;       /* NULL: none in the log */
    struct span span;
    struct sketch sketch;
    unsigned char words[HASH_SIZE];     /* the call without white space */
    unsigned char shows[HASH_SIZE];     /* its result, without times … */
    unsigned char says[HASH_SIZE];      /* … and without any number and white space */
    size_t length;                      /* of that */
    size_t world;                       /* changes made before it */
    bool edits, changes, checks, steps;
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_space(char c) { return (unsigned char)c <= ' '; }
static bool is_word(unsigned char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80; }

static bool is_letter(char c)
{
    unsigned char f = fold_byte((unsigned char)c);
    return f >= 'a' && f <= 'z';
}

/* Does one of these words stand in the text? They are in lower case; one that ends in * is the beginning of a word. */
static bool has_word(struct slice text, const char *const words[])
{
    uint32_t firsts = 0; /* letters that a word begins with: most places need no look at the words */
    for (const char *const *w = words; *w; w++)
        firsts |= UINT32_C(1) << ((*w)[0] - 'a');
    for (size_t i = 0; i < text.len; i++) {
        if (!is_letter(text.ptr[i]) || !(firsts >> (fold_byte((unsigned char)text.ptr[i]) - 'a') & 1) ||
            (i && is_letter(text.ptr[i - 1])))
            continue;
        for (const char *const *w = words; *w; w++) {
            size_t n = 0;
            while ((*w)[n] && i + n < text.len && fold_byte((unsigned char)text.ptr[i + n]) == (unsigned char)(*w)[n])
                n++;
            if ((*w)[n] == '*' || (!(*w)[n] && (i + n == text.len || !is_letter((*w)[n - 1]) || !is_letter(text.ptr[i + n]))))
                return true;
        }
    }
    return false;
}

/* Calls that change what other calls would show, that look whether a change was good, and that take a step, where doing the same again
 * is getting on. */
static const char *const change_names[] = {
    "edit*", "write*", "create*", "insert*", "replace*", "patch*", "update*", "save*", "append*", "apply*", "delete*",
    "remove*", "move*", "rename*", NULL
};
static const char *const shell_names[] = {
    "bash", "shell", "sh", "terminal", "command", "cmd", "exec", "execute", "run", "console", NULL
};
static const char *const change_words[] = {
    "sed -i", "tee ", "patch ", "git apply", "git checkout", "git stash", "git reset", "mv ", "cp ", "rm ", "install ", NULL
};
static const char *const check_words[] = {
    "test*", "build*", "make", "pytest", "npm", "yarn", "pnpm", "cargo", "lint", "tsc", "mvn", "gradle", "check*", "compile*",
    "python*", "node ", "go ", "gcc", "run", "ruff", "mypy", "diagnostics", "git diff", "git status", NULL
};
static const char *const step_names[] = {
    "scroll", "next", "press", "key", "wait", "sleep", "back", "forward", "click", "tap", "page", "move", "mouse", "left",
    "right", "up", "down", "screenshot", "continue", NULL
};
static const char *const failure_words[] = {
    "error*", "fail*", "not found", "no such", "exception", "traceback", "denied", "invalid*", "unable", "cannot", "can't",
    "could not", "malformed", "incorrect", "wrong", "not pass", "try again", NULL
};

static const char *const silence_words[] = {
    "no output", "no result", "no results", "no matches", "no match", "exited with code", "no content", "nothing found",
    "did not produce", NULL
};

static struct slice opening(struct slice text) { return slice_sub(text, 0, 2000); }

static bool has_failed(const struct message *result)
{
    return !result || result->error.len || has_word(slice_sub(result->text, 0, 200), failure_words);
}

static bool writes(const struct tool_call *call)
{
    if (!has_word(call->name, shell_names))
        return false;
    struct slice s = opening(call->arguments);
    for (size_t i = 1; i + 1 < s.len; i++)
        if ((s.ptr[i] == '>' || (s.ptr[i] == '<' && s.ptr[i + 1] == '<')) && s.ptr[i - 1] == ' ')
            return true;
    return has_word(s, change_words);
}

/* Where a number at `at` ends that may hold points and colons; whether it is a time or a duration. */
static size_t number_end(struct slice text, size_t at, bool *time)
{
    size_t end = at;
    *time = false;
    for (; end < text.len; end++) {
        bool inner = (text.ptr[end] == '.' || text.ptr[end] == ':') && end + 1 < text.len && is_digit(text.ptr[end + 1]);
        if (!is_digit(text.ptr[end]) && !inner)
            break;
        *time |= text.ptr[end] == ':';
    }
    struct slice unit = slice_sub(text, end, 3);
    bool seconds = slice_starts(unit, "s") && (unit.len == 1 || !is_word(fold_byte((unsigned char)unit.ptr[1])));
    *time |= seconds || slice_starts(unit, "ms") || slice_starts(unit, " se");
    return end;
}

/* The bytes of a text that tell it from another: no white space, no numbers of times or, if asked, none at all. */
static size_t add_essence(struct hash *h, struct slice text, bool numbers)
{
    char buffer[512];
    size_t used = 0, n = 0;
    text = slice_sub(text, 0, RESULT_MAX);
    for (size_t i = 0; i < text.len;) {
        bool time;
        size_t end = is_digit(text.ptr[i]) ? number_end(text, i, &time) : i + 1;
        bool drop = is_digit(text.ptr[i]) ? !numbers || time : is_space(text.ptr[i]);
        for (; i < end; i++) {
            if (drop)
                continue;
            buffer[used++] = (char)fold_byte((unsigned char)text.ptr[i]);
            n++;
            if (used == sizeof buffer) {
                hash_add(h, slice_of(buffer, used));
                used = 0;
            }
        }
    }
    hash_add_framed(h, slice_of(buffer, used));
    return n;
}

static size_t hash_essence(struct slice text, struct slice more, bool numbers, unsigned char out[HASH_SIZE])
{
    struct hash h;
    hash_start(&h);
    size_t n = add_essence(&h, text, numbers) + add_essence(&h, more, numbers);
    hash_end(&h, out);
    return n;
}

static struct acts make_actions(const struct det_run *d, size_t t)
{
    const struct transcript *transcript = &d->run->transcripts[t];
    struct arena *arena = d->shared->arena;
    size_t all = 0, n = 0, world = 0;
    for (size_t i = 0; i < transcript->nmessages; i++)
        all += transcript->messages[i].ncalls;
    struct act *actions = arena_alloc(arena, (all + 1) * sizeof *actions);
    for (size_t i = 0; i < transcript->nmessages; i++)
        for (size_t c = 0; c < transcript->messages[i].ncalls; c++) {
            const struct tool_call *call = &transcript->messages[i].calls[c];
            int32_t answer = d->pairs[t].results[d->pairs[t].first[i] + c];
            const struct message *result = answer >= 0 ? &transcript->messages[answer] : NULL;
            struct act *a = &actions[n++];
            *a = (struct act){.call = call, .result = result, .span = span_of_call(t, i, c), .world = world};
            if (call->arguments.len < 3)
                a->span.part = PART_CALL_NAME;
            a->sketch = sketch_make(arena, call->arguments);
            hash_essence(call->name, call->arguments, true, a->words);
            struct slice text = result ? result->text : SLICE_NONE, error = result ? result->error : SLICE_NONE;
            hash_essence(text, error, true, a->shows);
            a->length = hash_essence(text, error, false, a->says);
            a->edits = has_word(call->name, change_names);
            a->changes = a->edits || writes(call);
            a->checks = !a->changes && (has_word(call->name, check_words) || has_word(opening(call->arguments), check_words));
            a->steps = has_word(call->name, step_names);
            world += a->changes && !has_failed(result);
        }
    return (struct acts){actions, n};
}

/* The calls of a transcript, made once for all detectors. */
static const struct act *list_actions(const struct det_run *d, size_t t, size_t *count)
{
    struct det_shared *shared = d->shared;
    if (!shared->acts)
        shared->acts = arena_array(shared->arena, struct acts, d->run->ntranscripts + 1);
    if (!shared->acts[t].items)
        shared->acts[t] = make_actions(d, t);
    *count = shared->acts[t].n;
    return shared->acts[t].items;
}

static bool same_words(const struct act *a, const struct act *b) { return memcmp(a->words, b->words, HASH_SIZE) == 0; }

/* Was the world changed between two looks at it, so that looking again was called for? */
static bool was_called_for(const struct act *before, const struct act *a) { return a->checks && a->world != before->world; }

/* A call of which doing it once more is no sign of anything: it got on by a step, or says no more than that it did what was asked. */
static bool gets_on(const struct act *a)
{
    return a->length < SAYS_DONE && (a->steps || (a->edits && a->result && !has_failed(a->result)));
}

/* ---- the same call, to the letter -------------------------------------------------------------------------------- */

struct repeat {
    const struct act *first, *last;
    size_t at;                  /* of the last */
    size_t count;
    struct span spans[SHOWN_MAX];
    size_t nspans;
};

static void show(struct repeat *r, const struct det_run *d, const struct act *a, size_t at)
{
    if (r->count == 0)
        r->first = a;
    r->last = a;
    r->at = at;
    r->count++;
    if (r->nspans < SHOWN_MAX)
        r->spans[r->nspans++] = span_opening(d->run, a->span);
}

static void report_repeat(struct det_run *d, const struct repeat *r)
{
    if ((double)r->count < det_number(d->rule, "times"))
        return;
    struct slice title = arena_printf(d->scratch, "the same call to {tool} %zu times, with the same result", r->count);
    det_report(d, title.ptr, "tool", r->first->call->name, r->spans, r->nspans);
}

static void find_equal(struct det_run *d, const struct act *actions, size_t n)
{
    double within = det_number(d->rule, "within");
    struct repeat *open = arena_alloc(d->scratch, OPEN * sizeof *open);
    size_t opened = 0;
    for (size_t i = 0; i < n; i++) {
        const struct act *a = &actions[i];
        struct repeat *to = NULL;
        if (gets_on(a))
            continue;
        for (size_t k = 0; k < opened && k < OPEN && !to; k++)
            if (same_words(open[k].last, a) && memcmp(open[k].last->shows, a->shows, HASH_SIZE) == 0 &&
                !open[k].last->result == !a->result)
                to = &open[k];
        if (to && ((double)(i - to->at) > within || was_called_for(to->last, a))) {
            report_repeat(d, to);
            *to = (struct repeat){0};
        }
        if (!to) {
            to = &open[opened++ % OPEN];
            if (opened > OPEN)
                report_repeat(d, to);
            *to = (struct repeat){0};
        }
        show(to, d, a, i);
    }
    for (size_t k = 0; k < opened && k < OPEN; k++)
        report_repeat(d, &open[k]);
}

void det_repeated_call(struct det_run *d)
{
    for (size_t t = 0, n; t < d->run->ntranscripts; t++) {
        const struct act *actions = list_actions(d, t, &n);
        find_equal(d, actions, n);
    }
}

/* ---- nearly the same call ---------------------------------------------------------------------------------------- */

struct group {
    struct repeat all;
    const struct act *seen[SHOWN_MAX];   /* the first of its calls */
    size_t again[SHOWN_MAX];                /* how many later ones showed the same as each of them … */
    size_t equal[SHOWN_MAX];                /* … and were the same to the letter */
    size_t nseen;
    size_t swept;                           /* calls that tried one thing after another */
    double least;                           /* likeness of any call to one before it */
};

static size_t word_end(struct slice s, size_t at)
{
    while (at < s.len && is_word(fold_byte((unsigned char)s.ptr[at])))
        at++;
    return at;
}

/* A long number or a hash: a value that nobody varies to say the same in other words. */
static bool is_value(struct slice word)
{
    enum { VALUE_LEAST = 16 };
    bool digit = false;
    for (size_t i = 0; i < word.len; i++)
        digit |= word.ptr[i] >= '0' && word.ptr[i] <= '9';
    return digit && word.len >= VALUE_LEAST;
}

/* Equal but for one word that holds a letter (or a number): a name, a hash, a file; or for other values, and what goes with them. To try one
 * after another is no repetition. What stands after "as" only names a result. */
static bool is_swept(struct slice a, struct slice b, bool numbers)
{
    size_t i = 0, k = 0, differ = 0, values = 0, bare = 0;
    bool named = false;
    while (i < a.len && k < b.len) {
        size_t p = word_end(a, i), q = word_end(b, k);
        if (p == i || q == k) {
            if (p != i || q != k || a.ptr[i] != b.ptr[k])
                return false;
            i++, k++;
            continue;
        }
        struct slice x = slice_sub(a, i, p - i), y = slice_sub(b, k, q - k);
        if (!named && !slice_eq(x, y)) {
            bool letter = false;
            for (size_t n = 0; n < x.len; n++)
                letter |= is_letter(x.ptr[n]);
            differ++;
            bare += !letter && !numbers;
            values += is_value(x) && is_value(y);
        }
        named = slice_eq_nocase(x, slice_str("as"));
        i = p, k = q;
    }
    return i == a.len && k == b.len && (values > 0 || (differ == 1 && !bare));
}

/* A result from which nothing is learnt: it says nothing, or only that something went wrong. */
static bool is_silent(const struct act *a)
{
    struct slice text = slice_trim(a->result->text);
    bool says = a->result->error.len || text.len >= 8;
    for (size_t i = 0; i < text.len && !says; i++)
        says = is_word(fold_byte((unsigned char)text.ptr[i]));
    return !says || (!a->result->error.len && has_word(slice_sub(text, 0, 60), silence_words));
}
static bool is_mute(const struct act *a) { return is_silent(a) || has_failed(a->result); }

/* Does b show what a showed, and little else? */
static bool same_outcome(const struct act *a, const struct act *b)
{
    if (memcmp(a->shows, b->shows, HASH_SIZE) == 0)
        return true;
    if (memcmp(a->says, b->says, HASH_SIZE) == 0)
        return a->length >= SAYS_LITTLE || (is_mute(a) && is_mute(b));
    struct slice p = slice_trim(a->result->text), q = slice_trim(b->result->text);
    struct slice less = p.len < q.len ? p : q, more = p.len < q.len ? q : p;
    return less.len >= SAYS_LITTLE && more.len <= less.len + less.len / 2 && more.len <= CONTAINED_MAX &&
           slice_find(more, less) >= 0;
}

static const double CLOSE = 0.85; /* so alike are calls that are one attempt, though they show different things */

struct limits {
    double times, within, likeness, short_likeness;
};

/* How alike two calls must be for the second to be the first again, where both show the same. */
static double needed(const struct limits *l, const struct act *a)
{
    if (a->sketch.n >= LONG_CALL)
        return l->likeness;
    return is_mute(a) || slice_trim(a->result->text).len < SAYS_LITTLE ? l->short_likeness : l->likeness;
}

static void report_group(struct det_run *d, const struct limits *l, const struct group *g)
{
    size_t most = 0, equal = 0;
    for (size_t i = 0; i < g->nseen; i++) {
        most = g->again[i] > most ? g->again[i] : most;
        equal += g->equal[i];
        if ((double)g->equal[i] + 1 >= l->times) /* to the letter: repeated-call */
            return;
    }
    /* A command that comes to nothing is tried in one more way before it says much; many attempts with as many outcomes are a search,
     * unless the same ones come again. */
    const struct act *last = g->all.last;
    double times = l->times + (last && is_mute(last) && last->sketch.n < LONG_CALL && g->least < CLOSE);
    bool one = (double)most + 1 - (double)g->swept >= times, mixed = g->all.count >= MIXED && equal > 1;
    if (!one && !mixed)
        return;
    struct slice title = arena_printf(d->scratch, "%zu nearly equal calls to {tool} show nothing new", g->all.count);
    det_report(d, title.ptr, "tool", g->all.first->call->name, g->all.spans, g->all.nspans);
}

/* The group of calls that this one is most like; first of all one that showed the same. */
static struct group *find_group(const struct limits *l, struct group *open, size_t n, const struct act *a, size_t at,
                                const struct act **same, double *alike_same)
{
    struct group *to = NULL, *near = NULL;
    double best = 0, nearest = 0, need = needed(l, a), least = need < CLOSE ? need : CLOSE;
    for (size_t k = 0; k < n; k++)
        for (size_t s = 0; s < open[k].nseen && (double)(at - open[k].all.at) <= l->within; s++) {
            const struct act *b = open[k].seen[s];
            double alike = slice_eq(b->call->name, a->call->name) ? sketch_likeness(&b->sketch, &a->sketch, least) : 0;
            if (alike > best && alike >= need && same_outcome(b, a))
                best = alike, to = &open[k], *same = b;
            if (alike > nearest && alike >= CLOSE && a->sketch.n >= LINE_CALL)
                nearest = alike, near = &open[k];
        }
    *alike_same = best;
    return to ? to : near;
}

static void add_similar(struct det_run *d, const struct limits *l, struct group *open, size_t *opened, const struct act *a, size_t at)
{
    const struct act *same = NULL;
    double alike;
    struct group *to = find_group(l, open, *opened < OPEN ? *opened : OPEN, a, at, &same, &alike);
    if (to && same && was_called_for(same, a)) {
        report_group(d, l, to);
        *to = (struct group){.least = 1};
        same = NULL;
    }
    if (!to) {
        to = &open[(*opened)++ % OPEN];
        if (*opened > OPEN)
            report_group(d, l, to);
        *to = (struct group){.least = 1};
    }
    show(&to->all, d, a, at);
    if (same) {
        to->least = alike < to->least ? alike : to->least;
        to->swept += is_swept(to->seen[0]->call->arguments, a->call->arguments, is_silent(a));
        for (size_t s = 0; s < to->nseen; s++) {
            to->again[s] += same_outcome(to->seen[s], a);
            to->equal[s] += same_words(to->seen[s], a) && memcmp(to->seen[s]->shows, a->shows, HASH_SIZE) == 0;
        }
    }
    if (to->nseen < SHOWN_MAX)
        to->seen[to->nseen++] = a;
}

void det_similar_action(struct det_run *d)
{
    struct limits l = {det_number(d->rule, "times"), det_number(d->rule, "within"), det_number(d->rule, "likeness"),
                       det_number(d->rule, "likeness_short")};
    for (size_t t = 0, n; t < d->run->ntranscripts; t++) {
        const struct act *actions = list_actions(d, t, &n);
        struct group *open = arena_alloc(d->scratch, OPEN * sizeof *open);
        size_t opened = 0;
        for (size_t i = 0; i < n; i++)
            if (actions[i].result && !gets_on(&actions[i])) /* of a call without a result nothing can be said */
                add_similar(d, &l, open, &opened, &actions[i], i);
        for (size_t k = 0; k < opened && k < OPEN; k++)
            report_group(d, &l, &open[k]);
    }
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */

static bool is_again(const struct act *a, const struct act *b, double likeness)
{
    if (!slice_eq(a->call->name, b->call->name) || !a->result != !b->result)
        return false;
    if (same_words(a, b))
        return memcmp(a->shows, b->shows, HASH_SIZE) == 0;
    return a->result && same_outcome(a, b) && sketch_likeness(&a->sketch, &b->sketch, likeness) >= likeness;
}

/* The calls [at, at + period) are so many different ones. */
static bool is_varied(const struct act *actions, size_t at, size_t period, double likeness)
{
    for (size_t i = at + 1; i < at + period; i++)
        if (slice_eq(actions[i].call->name, actions[at].call->name) &&
            sketch_likeness(&actions[i].sketch, &actions[at].sketch, likeness) >= likeness)
            return false;
    return true;
}

static bool works(const struct act *actions, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (gets_on(&actions[i]))
            return true;
    return false;
}

/* Do two calls that take turns show the same? Then they are one attempt in two wordings. */
static bool is_one_attempt(const struct act *a, const struct act *b)
{
    return slice_eq(a->call->name, b->call->name) && a->result && b->result && same_outcome(a, b);
}

/* Rounds of calls, each the same as one round before: two calls by turns, or all other rounds. */
static void find_rounds(struct det_run *d, bool turns)
{
    double likeness = det_number(d->rule, "likeness"), rounds = det_number(d->rule, "rounds");
    for (size_t t = 0, n; t < d->run->ntranscripts; t++) {
        const struct act *actions = list_actions(d, t, &n);
        for (size_t p = 2; p <= (turns ? 2 : PERIOD_MAX); p++)
            for (size_t i = p, run = 0; i <= n; i++) {
                if (i < n && is_again(&actions[i - p], &actions[i], likeness)) {
                    run++;
                    continue;
                }
                size_t start = i - run - p;
                bool found = (double)run >= (double)p * (rounds - 1) && is_varied(actions, start, p, likeness) &&
                             !works(actions, start, i) &&
                             turns == (p == 2 && !is_one_attempt(&actions[start], &actions[start + 1]));
                if (found) {
                    struct span spans[SHOWN_MAX];
                    size_t shown = 0;
                    for (size_t k = start; k < i && shown < SHOWN_MAX; k++)
                        spans[shown++] = span_opening(d->run, actions[k].span);
                    struct slice title = arena_printf(d->scratch, "%zu calls take turns %zu times, with nothing new", p, run / p + 1);
                    det_report(d, title.ptr, NULL, SLICE_NONE, spans, shown);
                    return;
                }
                run = 0;
            }
    }
}

void det_ping_pong(struct det_run *d) { find_rounds(d, true); }
void det_rounds(struct det_run *d) { find_rounds(d, false); }

/* ---- the same words ---------------------------------------------------------------------------------------------- */

struct reply {
    struct sketch sketch;
    unsigned char outcome[HASH_SIZE];   /* of what was done in it: what came back; else zero */
    size_t count, at, nspans;
    struct span spans[SHOWN_MAX];
};

static void report_reply(struct det_run *d, const struct reply *r)
{
    if ((double)r->count < det_number(d->rule, "times"))
        return;
    struct slice title = arena_printf(d->scratch, "the agent says the same %zu times", r->count);
    det_report(d, title.ptr, NULL, SLICE_NONE, r->spans, r->nspans);
}

/* What an agent without calls does in its text: what stands behind the last "Action:", or in the last fence. Absent: nothing. */
static struct slice find_deed(struct slice text)
{
    static const struct slice word = SLICE_LIT("Action:"), fence = SLICE_LIT("```");
    struct slice deed = SLICE_NONE;
    bool fenced = false;
    for (struct slice rest = text; rest.len;) {
        const char *start = rest.ptr;
        struct slice line = slice_take(&rest, '\n');
        if (slice_starts(slice_trim(line), fence.ptr)) {
            fenced = !fenced;
            deed = fenced ? slice_of(start, text.len - (size_t)(start - text.ptr)) : slice_sub(deed, 0, (size_t)(start - deed.ptr));
        } else if (!fenced && slice_starts(line, word.ptr)) {
            deed = slice_of(start, text.len - (size_t)(start - text.ptr));
        }
    }
    return deed;
}

/* Is it looked at? Not where it is a thought: the call that follows is compared itself. */
static bool is_reply(const struct transcript *transcript, size_t i, double shortest)
{
    const struct message *m = &transcript->messages[i], *next = i + 1 < transcript->nmessages ? m + 1 : NULL;
    return m->role == ROLE_ASSISTANT && !m->ncalls && (double)m->text.len >= shortest && m->text.ptr[0] != '{' &&
           !(next && next->ncalls && next->role == ROLE_ASSISTANT);
}

/* What a reply is compared by. False: nothing. */
static bool read_reply(struct det_run *d, const struct transcript *transcript, size_t i, struct reply *r)
{
    const struct message *m = &transcript->messages[i], *next = i + 1 < transcript->nmessages ? m + 1 : NULL;
    struct slice deed = find_deed(m->text);
    *r = (struct reply){.at = i, .sketch = sketch_make(d->scratch, deed.ptr ? deed : m->text)};
    if (deed.ptr && next && next->role != ROLE_ASSISTANT)
        hash_essence(next->text, next->error, false, r->outcome);
    return r->sketch.n > 1;
}

void det_repeated_reply(struct det_run *d)
{
    double least = det_number(d->rule, "likeness"), within = det_number(d->rule, "within");
    double shortest = det_number(d->rule, "shortest"), times = det_number(d->rule, "times");
    for (size_t t = 0; t < d->run->ntranscripts; t++) {
        const struct transcript *transcript = &d->run->transcripts[t];
        size_t replies = 0;
        for (size_t i = 0; i < transcript->nmessages; i++)
            replies += is_reply(transcript, i, shortest);
        if ((double)replies < times)
            continue;
        struct reply *open = arena_alloc(d->scratch, OPEN * sizeof *open), reply;
        size_t opened = 0;
        for (size_t i = 0; i < transcript->nmessages; i++) {
            if (!is_reply(transcript, i, shortest) || !read_reply(d, transcript, i, &reply))
                continue;
            struct reply *to = NULL;
            double best = 0;
            for (size_t k = 0; k < opened && k < OPEN; k++) {
                if ((double)(i - open[k].at) > within || memcmp(open[k].outcome, reply.outcome, HASH_SIZE) != 0)
                    continue;
                double alike = sketch_likeness(&open[k].sketch, &reply.sketch, least);
                if (alike >= least && alike > best)
                    best = alike, to = &open[k];
            }
            if (!to) {
                to = &open[opened++ % OPEN];
                if (opened > OPEN)
                    report_reply(d, to);
                *to = reply;
            }
            to->count++;
            to->at = i;
            if (to->nspans < SHOWN_MAX)
                to->spans[to->nspans++] = span_opening(d->run, span_of_text(t, i, 0, transcript->messages[i].text.len));
        }
        for (size_t k = 0; k < opened && k < OPEN; k++)
            report_reply(d, &open[k]);
    }
}
