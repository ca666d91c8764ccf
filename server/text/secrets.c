#include "text/secrets.h"

#include "base/clock.h"
#include "text/gramscan.h"
#include "text/literal.h"

#include <stdatomic.h>
#include <stdlib.h>

/* What the makers' own examples, and blanks to fill in, look like. */
#define BLANK "(?:x{6}|X{6}|0{6}|123456|example|EXAMPLE|your|YOUR|test|fake|dummy|placeholder)"
/* Where a word begins: behind an escape of JSON or of a URL, or a colour of a terminal, too, which end in a letter. */
#define START "(?:\\b|(?<=\\\\[nrtbf]|\\\\u00[0-9a-f]{2}|\\[[0-9]m|\\[[0-9]{2}m|%[0-9A-Fa-f]{2}))"
#define NOT_BLANK "(?![\\w.+/=-]{0,40}?" BLANK ")"
#define MIXED "(?=[\\w-]{0,40}?(?:[A-Za-z]\\d|\\d[A-Za-z]))" NOT_BLANK
/* The user, who may be nobody, and the password of a URL. The password alone decides, wherever it leads: one that is left to fill in, as
 * "<password>", "$PASSWORD", "***" or a row of the words that stand in examples, is none, nor is a port before an @ further on. */
#define WORD_OF_EXAMPLES \
    "(?>passphrase|p[a4]ssw[o0]rd|passwort|passwd|pass|pwd|pw|s[e3]cret|hunter2|token|api|key|credentials|changeme|change|replace|insert|enter|hidden|redacted|" \
    "masked|placeholder|example|sample|dummy|fake|testing|test|default|guest|admin|root|username|user|login|database|postgresql|postgres|" \
    "mysql|mongodb|mongo|redis|rabbitmq|db|pg|your|my|some|the|this|here|me|foo|bar|baz|x+|\\*+|\\.+|123456\\d*)[_.-]*+"
#define TO_FILL_IN "(?![$(]|%\\(|\\d{1,5}[?#,:;)]|[^\\s@]{0,64}?(?:\\*{3}|\\.{3})|(?i:[_.-]*+(?:" WORD_OF_EXAMPLES ")++\\d{0,4}@))"
#define LOGIN_AT "[\\w.%+${}@~-]{0,64}:" TO_FILL_IN "([^\\s/'\"`<>{}\\[\\]\\\\]{6,200})@"
#define SLASHES "(?:\\\\?/){2}"

const struct secret_form secret_forms[] = {
    {"aws-key", START "(?:AKIA|ASIA)(?!\\w{0,16}EXAMPLE)[0-9A-Z]{16}\\b", true, "AWS access key id", "AKIA*16A"},
    {"github-token", START "(?:ghp_|gho_|ghu_|ghs_|ghr_)(?!\\w{0,40}?(?:x{6}|X{6}|0{6}|123456|EXAMPLE|example|abcdef))[A-Za-z0-9]{36}\\b", true,
     "GitHub token", "ghp_*36"},
    {"github-token", START "github_pat_(?!\\w{0,40}?(?:x{6}|example))[A-Za-z0-9_]{40,255}", true, "GitHub fine-grained token", "github_pat_*82"},
    {"gitlab-token", START "glpat-(?!x{6})[0-9A-Za-z_-]{20}\\b", true, "GitLab token", "glpat-*20"},
    {"anthropic-key", START "sk-ant-" MIXED "[A-Za-z0-9_-]{32,255}", true, "Anthropic key", "sk-ant-api03-*93"},
    {"openrouter-key", START "sk-or-v1-" MIXED "[A-Za-z0-9_-]{32,255}", true, "OpenRouter key", "sk-or-v1-*64x"},
    {"langfuse-key", START "sk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\\b", true, "Langfuse secret key",
     "sk-lf-*8x-*4x-*4x-*4x-*12x"},
    {"openai-key", START "(?:sk-proj-|sk-svcacct-|sk-admin-)" MIXED "[A-Za-z0-9_-]{32,255}", true, "OpenAI key", "sk-proj-*120"},
    {"openai-key", START "sk-(?!\\w{0,40}?(?:x{6}|X{6}))[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}\\b", true, "OpenAI key, older", "sk-*20T3BlbkFJ*20"},
    {"stripe-key", START "(?:sk_live_|rk_live_)[A-Za-z0-9]{20,247}", true, "Stripe live key", "sk_live_*24"},
    {"slack-token", START "(?:xoxa-|xoxb-|xoxp-|xoxr-|xoxs-)(?!\\S{0,40}?(?:x{6}|X{6}))[0-9]{8,20}-[0-9A-Za-z-]{20,200}", true, "Slack token",
     "xoxb-*12d-*13d-*24"},
    {"slack-webhook", "hooks\\.slack\\.com/services/(T[A-Z0-9]{8,20}/B[A-Z0-9]{8,20}/[A-Za-z0-9]{20,40})", true, "Slack webhook",
     "https://hooks.slack.com/services/T*10A/B*10A/*24"},
    {"google-key", START "AIza(?!\\S{0,40}?(?:x{6}|X{6}|example))[0-9A-Za-z_-]{35}\\b", true, "Google API key", "AIza*35"},
    {"google-oauth", START "GOCSPX-[A-Za-z0-9_-]{28}\\b", true, "Google OAuth client secret", "GOCSPX-*28"},
    {"google-oauth", START "ya29\\.[A-Za-z0-9_-]{30,500}", true, "Google OAuth access token", "ya29.*80"},
    {"sendgrid-key", START "SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}\\b", true, "SendGrid key", "SG.*22.*43"},
    {"npm-token", START "npm_(?!x{6})[A-Za-z0-9]{36}\\b", true, "npm token", "npm_*36"},
    {"pypi-token", START "pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,500}", true, "PyPI token", "pypi-AgEIcHlwaS5vcmc*80"},
    {"huggingface-token", START "hf_(?!x{6}|X{6})[A-Za-z]{34}\\b", true, "Hugging Face token", "hf_*34a"},
    {"groq-key", START "gsk_(?!x{6})[A-Za-z0-9]{48,60}", true, "Groq key", "gsk_*52"},
    {"xai-key", START "xai-[A-Za-z0-9]{80}\\b", true, "xAI key", "xai-*80"},
    {"nvidia-key", START "nvapi-[A-Za-z0-9_-]{60,70}\\b", true, "NVIDIA key", "nvapi-*64"},
    {"langsmith-key", START "(?:lsv2_pt_|lsv2_sk_)[a-f0-9]{32}_[a-f0-9]{10}\\b", true, "LangSmith key", "lsv2_pt_*32x_*10x"},
    {"digitalocean-token", START "dop_v1_[a-f0-9]{64}\\b", true, "DigitalOcean token", "dop_v1_*64x"},
    {"databricks-token", START "dapi[a-f0-9]{32}\\b", true, "Databricks token", "dapi*32x"},
    {"shopify-token", START "(?:shpat_|shpca_|shppa_|shpss_)[a-fA-F0-9]{32}\\b", true, "Shopify token", "shpat_*32x"},
    {"docker-token", START "dckr_pat_[A-Za-z0-9_-]{27}\\b", true, "Docker Hub token", "dckr_pat_*27"},
    {"vault-token", START "hvs\\.[A-Za-z0-9_-]{24,200}", true, "HashiCorp Vault token", "hvs.*90"},
    {"tailscale-key", START "tskey-[a-z]{3,10}-[A-Za-z0-9]{8,40}(?:-[A-Za-z0-9]{20,50})?", true, "Tailscale key", "tskey-auth-*12-*32"},
    {"telltale-token", START "tt_[a-z2-7]{12}_[A-Za-z0-9_-]{43}(?![\\w-])", true, "token of a Telltale server", "tt_abcdefghij23_*43"},
    {"age-key", START "AGE-SECRET-KEY-1[0-9A-Z]{58}\\b", true, "age secret key", "AGE-SECRET-KEY-1*58A"},
    {"azure-key", START "AccountKey=([A-Za-z0-9+/]{80,120}==)", true, "Azure storage key", "AccountKey=*86=="},
    {"private-key",
     "-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?=[\\sA-Za-z0-9+/=:,.\\\\>|\"'()-]{0,200}?[A-Za-z0-9+/]{40})"
     "(?:[^-]{0,4000}+(?:-{1,4}+[^-]{1,4000}+){0,6}+-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
     "|(?:(?:\\\\[nr]|[\\s\"'+>|,])*+[A-Za-z0-9+/]{20,}+={0,2})++)",
     true, "private key in PEM", "-----BEGIN RSA PRIVATE KEY-----\nMIIE*60\n*64\n*30==\n-----END RSA PRIVATE KEY-----"},
    {"database-password", START "(?:(?:postgres(?:ql)?|mysql|mariadb|mssql|mongodb)(?:\\+\\w{1,20})?:|(?:rediss?|amqps?|s?ftp):)" SLASHES LOGIN_AT, true,
     "password in the URL of a database", "postgres://shop:*10@pg.shop.internal/main"},
    {"url-password", START "https?:" SLASHES LOGIN_AT, false, "password or token in a web address", "https://deploy:*20@git.shop.internal/a.git"},
    {"jwt", START "eyJ[A-Za-z0-9_-]{10,2000}\\.eyJ[A-Za-z0-9_-]{10,4000}\\.[A-Za-z0-9_-]{10,1000}", false, "JSON web token",
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi*30.*43"},
    {"bearer-token", "(?i:" START "bearer|" START "basic|authorization[\"']?\\s?[:=]\\s?[\"']?token)\\s{1,3}" "(?=[A-Za-z_.~+/-]{0,80}+\\d)" NOT_BLANK "([A-Za-z0-9._~+/-]{20,2000}={0,2})", false,
     "value of an Authorization header", "Authorization: Bearer *40"},
    {"assigned-secret",
     "(?i:api[_-]?key|apikey|secret[_-]?key|secret[_-]?access[_-]?key|client[_-]?secret|access[_-]?token|auth[_-]?token|refresh[_-]?token|"
     "private[_-]?token|api[_-]?token|session[_-]?token|bot[_-]?token|encryption[_-]?key)(?:\\\\?[\"'])?\\s{0,3}(?::|=|=>|:=)\\s{0,3}(?:\\\\?[\"'])?"
     "(?=[A-Za-z_+/=-]{0,80}+\\d)(?=[\\d_+/=-]{0,80}+[A-Za-z])" NOT_BLANK "([A-Za-z0-9_+/-]{20,200}+={0,2}+)(?![\\w.(\\[])", false,
     "value that is given to something called a key, token or secret", "SECRET_ACCESS_KEY=*40"},
    {"assigned-password",
     "(?i:password|passwd|passphrase|\\bpwd|_pw|_pass)(?:\\\\?[\"'])?\\s{0,3}(?::|=|=>|:=)\\s{0,3}(?:\\\\?[\"'])?"
     "(?=[^\\s\"'\\\\]{0,64}\\d)(?=[^\\s\"'\\\\]{0,64}[A-Za-z])(?=[^\\s\"'\\\\]{0,64}[!@#%^&*+~?-]|[^\\s\"'\\\\]{0,64}[a-z][^\\s\"'\\\\]{0,64}[A-Z]|[^\\s\"'\\\\]{0,64}[A-Z][^\\s\"'\\\\]{0,64}[a-z]|[^\\s\"'\\\\]{0,64}[a-z]\\d+[a-z])"
     "(?!(?i)[^\\s\"'\\\\]{0,64}(?:password|passwd|example|changeme|secret|your|test|dummy|123))([A-Za-z0-9_!@#%^&*+~?-]{8,64}+)(?![\\w.(\\[/])", false,
     "value that is given to something called a password", "DB_PASSWORD=k9Lm*8-q"},
};
const size_t secret_form_count = sizeof secret_forms / sizeof *secret_forms;

/* ---- compiling --------------------------------------------------------------------------------------------------------- */

enum { KIND_MAX = 40, FORMS_MAX = 128, PATTERNS_MAX = 60 << 10 };

struct form {
    struct slice kind, pattern;
    struct regex *re;
    struct clause needs;     /* n 0: it is looked for everywhere */
};

struct literal_of {
    uint32_t hash;           /* of its gram */
    struct slice literal;
    size_t gram;             /* where in the literal that stands */
    uint16_t form;
};

struct secrets {
    struct arena arena;
    struct form *forms;
    size_t n;
    struct literal_of *literals; /* by hash */
    size_t nliterals;
    const struct gramscan *gramscan;
    struct gramset grams;
    atomic_uint refs;
};

static const char mark_begin[] = "[redacted:";

static struct slice mark_of(struct arena *a, struct slice kind) { return arena_printf(a, "%s%.*s]", mark_begin, SLICE_ARG(kind)); }

struct slice secrets_pattern(struct arena *a)
{
    struct str text = STR_INIT(PATTERNS_MAX);
    str_addz(&text, "(?:");
    for (size_t i = 0; i < secret_form_count; i++)
        if (secret_forms[i].is_finding)
            str_printf(&text, "%s|", secret_forms[i].pattern);
    str_addz(&text, "\\[redacted:(?:");
    for (size_t i = 0, n = 0; i < secret_form_count; i++)
        if (secret_forms[i].is_finding)
            str_printf(&text, "%s%s", n++ ? "|" : "", secret_forms[i].kind);
    str_addz(&text, ")\\])");
    struct slice pattern = arena_dup(a, str_slice(&text));
    str_free(&text);
    return pattern;
}

/* Of what a match must hold, that which says soonest where it can begin. */
static struct clause best_clause(const struct needs *needs)
{
    struct clause best = {.before = BEFORE_ANY};
    for (size_t i = 0; i < needs->n; i++)
        if (!best.n || needs->all[i].before < best.before)
            best = needs->all[i];
    return best;
}

static int by_hash(const void *a, const void *b)
{
    const struct literal_of *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

static bool add_form(struct secrets *s, struct slice kind, struct slice pattern, size_t *cap, struct err *e)
{
    struct needs needs;
    struct form form = {.kind = arena_dup(&s->arena, kind), .pattern = arena_dup(&s->arena, pattern)};
    if (!regex_compile(pattern, 0, &form.re, e))
        return false;
    needs_of_pattern(&s->arena, form.pattern, 0, &needs);
    form.needs = best_clause(&needs);
    for (size_t i = 0; i < form.needs.n; i++) {
        struct slice literal = form.needs.any[i];
        size_t gram = literal.len - LITERAL_MIN; /* the end says more than "sk-", with which many begin */
        s->literals = arena_grow(&s->arena, s->literals, s->nliterals, cap, sizeof *s->literals);
        s->literals[s->nliterals++] = (struct literal_of){gram_at(literal.ptr + gram), literal, gram, (uint16_t)s->n};
    }
    s->forms[s->n++] = form;
    return true;
}

static bool is_kind(struct slice kind)
{
    for (size_t i = 0; i < kind.len; i++) {
        char c = kind.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && i)))
            return false;
    }
    return kind.len && kind.len <= KIND_MAX;
}

/* A form of a user's: one that matches nothing at all, or markers, would not leave what was redacted as it is. */
static bool check_own(const struct secrets *s, struct slice kind, struct err *e)
{
    const struct form *form = &s->forms[s->n - 1];
    struct arena a = {0};
    struct regex_match match;
    struct regex_scratch *scratch = regex_scratch_new();
    bool bad = regex_find(form->re, scratch, slice_str(""), 0, 0, &match) != REGEX_NO ||
               regex_find(form->re, scratch, mark_of(&a, kind), 0, 0, &match) != REGEX_NO;
    regex_scratch_free(scratch);
    arena_free(&a);
    return !bad || err_set(e, ERR_FORMAT, "redact: the pattern of '%.*s' matches nothing at all, or a marker", SLICE_ARG(kind));
}

bool secrets_compile(const struct secret_own *own, size_t n, struct secrets **out, struct err *e)
{
    struct secrets *s = calloc(1, sizeof *s);
    if (!s)
        abort(); /* out of memory */
    size_t cap = 0;
    atomic_store(&s->refs, 1);
    bool ok = n <= FORMS_MAX - secret_form_count ||
              err_set(e, ERR_FORMAT, "redact: at most %zu patterns of one's own", FORMS_MAX - secret_form_count);
    s->gramscan = gramscan_best();
    s->forms = arena_array(&s->arena, struct form, secret_form_count + n);
    for (size_t i = 0; i < secret_form_count && ok; i++)
        ok = add_form(s, slice_str(secret_forms[i].kind), slice_str(secret_forms[i].pattern), &cap, e);
    for (size_t i = 0; i < n && ok; i++) {
        struct err why = {0};
        if (!is_kind(own[i].kind))
            ok = err_set(e, ERR_FORMAT, "redact: '%.*s' is no name of a kind: it is made of small letters, digits and dashes, at most %d",
                         SLICE_ARG(slice_cut(own[i].kind, 100)), KIND_MAX);
        else if (!add_form(s, own[i].kind, own[i].pattern, &cap, &why))
            ok = err_set(e, ERR_FORMAT, "redact: %.*s: %s", SLICE_ARG(own[i].kind), why.text);
        else
            ok = check_own(s, own[i].kind, e);
    }
    for (size_t i = 0; i < s->nliterals; i++)
        gramset_add(&s->grams, s->literals[i].hash);
    if (s->nliterals)
        qsort(s->literals, s->nliterals, sizeof *s->literals, by_hash);
    if (ok)
        *out = s;
    else
        secrets_unref(s);
    return ok;
}

struct secrets *secrets_ref(struct secrets *s)
{
    if (s)
        atomic_fetch_add(&s->refs, 1);
    return s;
}

void secrets_unref(struct secrets *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        regex_free(s->forms[i].re);
    arena_free(&s->arena);
    free(s);
}

/* ---- finding ------------------------------------------------------------------------------------------------------------ */

enum { PATIENCE_US = 5000000, BYTES_A_US = 10 }; /* what ordinary text needs is a thousandth of that */

struct search {
    const struct redaction *r;
    struct slice text;
    struct secret_spans *out;
    size_t *from;            /* by form: all before was looked at */
    int64_t deadline;
};

static bool give_up(struct slice kind, struct err *e)
{
    return err_set(e, ERR_LIMIT, "the pattern of the secrets '%.*s' did not come to an end on this text, so it was not kept", SLICE_ARG(kind));
}

/* Matches of a form that begin before or at `last`. */
static bool look(struct search *x, size_t form, size_t last, struct err *e)
{
    const struct secrets *s = x->r->secrets;
    struct regex_match m;
    while (x->from[form] <= last && x->from[form] < x->text.len) {
        enum regex_result result = regex_find_within(s->forms[form].re, x->r->scratch, x->text, x->from[form], last, x->deadline, &m);
        if (result == REGEX_INCOMPLETE)
            return give_up(s->forms[form].kind, e);
        if (result == REGEX_NO) {
            x->from[form] = last == SIZE_MAX ? x->text.len : last + 1;
            return true;
        }
        bool part = m.group_start[1] != SIZE_MAX;
        struct secret_span span = {part ? m.group_start[1] : m.start, part ? m.group_end[1] : m.end, s->forms[form].kind, form};
        x->from[form] = m.end > m.start ? m.end : m.end + 1;
        if (span.end == span.start)
            continue;
        x->out->items = arena_grow(x->r->arena, x->out->items, x->out->n, &x->out->cap, sizeof *x->out->items);
        x->out->items[x->out->n++] = span;
    }
    return true;
}

static bool literal_stands(struct slice text, size_t at, struct slice literal)
{
    if (literal.len > text.len - at)
        return false;
    for (size_t i = 0; i < literal.len; i++)
        if (fold_byte((unsigned char)text.ptr[at + i]) != (unsigned char)literal.ptr[i])
            return false;
    return true;
}

/* A gram of the set stands at `at`: is it one of a literal, and that of a secret? */
static bool look_at(struct search *x, size_t at, struct err *e)
{
    const struct secrets *s = x->r->secrets;
    uint32_t hash = gram_at(x->text.ptr + at);
    size_t low = 0, high = s->nliterals;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->literals[mid].hash < hash)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < s->nliterals && s->literals[low].hash == hash; low++) {
        const struct literal_of *l = &s->literals[low];
        size_t before = s->forms[l->form].needs.before;
        if (at < l->gram || !literal_stands(x->text, at - l->gram, l->literal))
            continue;
        size_t place = at - l->gram, first = before == BEFORE_ANY || before > place ? 0 : place - before;
        if (x->from[l->form] < first)
            x->from[l->form] = first;
        if (!look(x, l->form, place, e))
            return false;
    }
    return true;
}

static int by_start(const void *a, const void *b)
{
    const struct secret_span *x = a, *y = b;
    return x->start != y->start ? (x->start > y->start) - (x->start < y->start) : (x->form > y->form) - (x->form < y->form);
}

/* In order; those that overlap become one, of the first one's kind. */
static void part(struct secret_spans *spans)
{
    size_t kept = 0;
    if (spans->n > 1)
        qsort(spans->items, spans->n, sizeof *spans->items, by_start);
    for (size_t i = 0; i < spans->n; i++) {
        if (kept && spans->items[i].start < spans->items[kept - 1].end) {
            if (spans->items[kept - 1].end < spans->items[i].end)
                spans->items[kept - 1].end = spans->items[i].end;
        } else {
            spans->items[kept++] = spans->items[i];
        }
    }
    spans->n = kept;
}

bool secrets_find(const struct redaction *r, struct slice text, struct secret_spans *out, struct err *e)
{
    const struct secrets *s = r->secrets;
    uint16_t places[GRAMSCAN_BYTES];
    size_t from[FORMS_MAX] = {0};
    *out = (struct secret_spans){0};
    if (text.len < LITERAL_MIN)
        return true;
    struct search x = {.r = r, .text = text, .out = out, .from = from, .deadline = clock_coarse_us() + PATIENCE_US + (int64_t)(text.len / BYTES_A_US)};
    for (size_t at = 0; at + LITERAL_MIN <= text.len; at += GRAMSCAN_BYTES) {
        size_t n = s->gramscan->find(&s->grams, text.ptr + at, text.len - at, places);
        for (size_t i = 0; i < n; i++)
            if (!look_at(&x, at + places[i], e))
                return false;
    }
    for (size_t i = 0; i < s->n; i++)
        if (!s->forms[i].needs.n && !look(&x, i, SIZE_MAX, e))
            return false;
    part(out);
    return true;
}

bool secrets_same(const struct secrets *a, const struct secrets *b)
{
    if (!a || !b)
        return a == b;
    bool same = a->n == b->n;
    for (size_t i = 0; i < a->n && same; i++)
        same = slice_eq(a->forms[i].kind, b->forms[i].kind) && slice_eq(a->forms[i].pattern, b->forms[i].pattern);
    return same;
}

size_t secrets_count(const struct secrets *s) { return s->n; }

struct slice secrets_kind(const struct secrets *s, size_t form) { return s->forms[form].kind; }

/* ---- redacting ---------------------------------------------------------------------------------------------------------- */

size_t redact_mark_len(const struct secret_span *span) { return sizeof mark_begin - 1 + span->kind.len + 1; }

static struct slice replaced(struct redaction *r, struct slice text, const struct secret_spans *spans)
{
    struct str out = STR_INIT(SIZE_MAX);
    size_t at = 0;
    for (size_t i = 0; i < spans->n; i++) {
        const struct secret_span *span = &spans->items[i];
        str_add(&out, text.ptr + at, span->start - at);
        str_addz(&out, mark_begin);
        str_add_slice(&out, span->kind);
        str_addc(&out, ']');
        at = span->end;
    }
    str_add(&out, text.ptr + at, text.len - at);
    struct slice copy = arena_dup(r->arena, str_slice(&out));
    str_free(&out);
    r->replaced += spans->n;
    for (size_t i = 0; r->kinds && i < spans->n; i++)
        r->kinds[spans->items[i].form]++;
    return copy;
}

bool redact_text(struct redaction *r, struct slice *text, struct err *e)
{
    struct secret_spans spans;
    if (!secrets_find(r, *text, &spans, e))
        return false;
    if (spans.n)
        *text = replaced(r, *text, &spans);
    return true;
}

enum { NAME_MOST = 80, VALUE_LEAST = 8, VALUE_MOST = 1 << 10 };

/* "password": "…" in an object is what password=… is in a text: what a value is called tells what it is. */
static bool redact_named(struct redaction *r, struct slice name, struct slice *value, struct err *e)
{
    char text[NAME_MOST + 1 + VALUE_MOST];
    struct secret_spans spans;
    if (name.len > NAME_MOST || value->len < VALUE_LEAST || value->len > VALUE_MOST)
        return true;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '=';
    memcpy(text + name.len + 1, value->ptr, value->len);
    size_t begin = name.len + 1, kept = 0;
    if (!secrets_find(r, slice_of(text, begin + value->len), &spans, e))
        return false;
    for (size_t i = 0; i < spans.n; i++)
        if (spans.items[i].start >= begin)
            spans.items[kept++] = (struct secret_span){spans.items[i].start - begin, spans.items[i].end - begin, spans.items[i].kind, spans.items[i].form};
    spans.n = kept;
    if (kept)
        *value = replaced(r, *value, &spans);
    return true;
}

bool redact_tree(struct redaction *r, struct jvalue *v, struct err *e)
{
    uint64_t before = r->replaced;
    bool ok = v->type != J_STRING || redact_text(r, &v->text, e);
    for (size_t i = 0; i < v->n && ok; i++) {
        struct jvalue *item = &v->items[i];
        ok = redact_tree(r, item, e);
        if (ok && v->type == J_OBJECT) {
            uint64_t here = r->replaced;
            ok = item->type != J_STRING || redact_named(r, v->keys[i], &item->text, e);
            item->repaired |= r->replaced != here;
            ok = ok && redact_text(r, &v->keys[i], e);
        }
    }
    v->repaired |= r->replaced != before; /* its bytes are no longer what it says */
    return ok;
}

/* Escapes can hide a secret from those who look at the bytes. */
static bool has_escapes(struct slice json) { return slice_find(json, slice_str("\\u00")) >= 0 || slice_find(json, slice_str("\\/")) >= 0; }

bool redact_json(struct redaction *r, struct slice *json, struct err *e)
{
    struct secret_spans spans;
    struct jvalue *tree;
    struct arena *a = r->arena;
    if (!json->len)
        return true;
    if (!secrets_find(r, *json, &spans, e))
        return false;
    if (!spans.n && !has_escapes(*json))
        return true;
    struct err why = {0};
    if (!jread(a, *json, NULL, NULL, &tree, &why))
        return redact_text(r, json, e);
    uint64_t before = r->replaced;
    if (!redact_tree(r, tree, e))
        return false;
    if (r->replaced != before)
        *json = jraw(a, tree);
    return true;
}

bool redact_once(const struct secrets *secrets, struct arena *a, struct slice *text, struct err *e)
{
    if (!secrets)
        return true;
    struct redaction r = {.secrets = secrets, .scratch = regex_scratch_new(), .arena = a};
    bool ok = redact_json(&r, text, e);
    regex_scratch_free(r.scratch);
    return ok;
}
