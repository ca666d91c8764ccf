/* What was said in a span: its messages, from whichever attributes and events carry them, and its scores and errors. */
#include "ingest/fmt_members.h"
#include "ingest/fmt_span_rows.h"

/* ---- messages ------------------------------------------------------------------------------------------------------------ */

static void leave(struct arena *a, struct leftovers *left, struct slice key, struct slice json)
{
    if (!json.ptr)
        return;
    left->items = arena_grow(a, left->items, left->n, &left->cap, sizeof *left->items);
    left->items[left->n++] = (struct leftover){key, json};
}

static bool same_message(const struct message *a, const struct message *b)
{
    return a->role == b->role && a->ncalls == b->ncalls && slice_eq(slice_trim(a->text), slice_trim(b->text));
}

/* Is all that `other` says said by `list`, in that order? */
static bool repeats(const struct messages *list, const struct messages *other)
{
    size_t at = 0;
    for (size_t i = 0; i < other->n; i++, at++) {
        while (at < list->n && !same_message(&list->items[at], &other->items[i]))
            at++;
        if (at == list->n)
            return false;
    }
    return true;
}

static bool is_said(const struct messages *list, struct slice text)
{
    for (size_t i = 0; i < list->n; i++)
        if (slice_eq(slice_trim(list->items[i].text), slice_trim(text)))
            return true;
    return false;
}

/* Messages of one attribute; what was read before is not read again, and what says something else stays. */
static void read_carrier(struct span_found *f, const struct jvalue *v, struct slice key, enum payload_side side,
                         struct messages *list,
                         struct leftovers *left)
{
    struct messages more = {0};
    struct meta rest = META_INIT;
    bool is = payload_messages(f->a, &more, v, side, &rest);
    struct slice beside = meta_end(&rest, f->a);
    if (is && !list->n)
        *list = more;
    else if (is ? !repeats(list, &more) : !list->n || !is_said(list, jstr(v)))
        return;
    span_use(f, v);
    if (is)
        leave(f->a, left, key, beside);
}

/* Bare text, or a value that is no message: what the user asked and what came of it. */
static void read_text(struct span_found *f, const struct jvalue *v, enum role role, enum span_text text, struct messages *list)
{
    if (list->n || !v || v->type == J_NULL)
        return;
    const struct jvalue *parsed = v;
    struct jvalue *inner;
    struct err e = {0};
    if (jis(v, J_STRING) && slice_starts(v->text, "\"") && jread(f->a, v->text, NULL, NULL, &inner, &e) && jis(inner, J_STRING))
        parsed = inner;
    const struct jvalue *value = payload_parsed(f->a, parsed);
    bool object = value->type == J_ARRAY || value->type == J_OBJECT;
    if (object && value->n && text == TEXT_BARE && role == ROLE_USER)
        return;
    span_use(f, v);
    if (object && !value->n) /* as tracers write nothing */
        return;
    struct message *m = messages_add(f->a, list);
    m->role = role;
    m->text = fmt_string(f->a, parsed);
}

static void read_side(struct span_found *f, enum span_field structured, enum span_field loose, enum payload_side side,
                      enum span_text text,
                      struct messages *list, struct leftovers *left)
{
    enum role role = side == PAYLOAD_SENT ? ROLE_USER : ROLE_ASSISTANT;
    const struct jvalue *first = NULL;
    for (int pass = 0; pass < 2; pass++)
        for (size_t r = 0; r < SPAN_ROWS; r++)
            if (f->at[r] && span_rows[r].field == (pass ? loose : structured)) {
                read_carrier(f, f->at[r], span_rows[r].key, side, list, left);
                if (!first && !(f->at[r]->type == J_STRING && !f->at[r]->text.len))
                    first = f->at[r];
            }
    if (text != TEXT_NONE)
        read_text(f, first, role, text, list);
}

/* The calls and the reasoning that stand beside the answer's text. */
static void read_calls(struct span_found *f, struct messages *answer)
{
    const struct jvalue *calls = span_take(f, F_CALLS), *reasoning = span_take(f, F_REASONING);
    const struct jvalue *list = calls ? payload_parsed(f->a, calls) : NULL;
    bool more = jis(list, J_ARRAY) && list->n && !(answer->n && answer->items[0].ncalls);
    if (!more && !reasoning)
        return;
    if (more) {
        struct making m = making_object(f->a, list), out = making_list(f->a, list);
        for (size_t i = 0; i < list->n; i++) {
            const struct jvalue *call = &list->items[i];
            struct making one = making_object(f->a, call);
            for (size_t k = 0; jis(call, J_OBJECT) && k < call->n; k++) {
                struct slice key = call->keys[k];
                making_put(&one, slice_is(key, "toolCallId") ? slice_str("id") : slice_is(key, "toolName") ? slice_str("name") :
                           slice_is(key, "toolCallType") ? slice_str("type") : key, call->items[k]);
            }
            making_put(&out, SLICE_NONE, one.v);
        }
        making_put(&m, slice_str("role"), payload_text(slice_str("assistant")));
        if (answer->n && answer->items[0].text.len)
            making_put(&m, slice_str("content"), payload_text(answer->items[0].text));
        making_put(&m, slice_str("tool_calls"), out.v);
        *answer = (struct messages){0};
        chat_message(f->a, answer, &m.v);
    }
    if (!answer->n)
        messages_add(f->a, answer)->role = ROLE_ASSISTANT;
    if (reasoning && !answer->items[0].reasoning.ptr)
        answer->items[0].reasoning = fmt_string(f->a, reasoning);
}

/* False: nothing was read. An event a message: {"content"} of the role that its name says, or {"message", "finish_reason",
 * "index"}. */
static bool read_event(struct arena *a, const struct span_event *event, struct messages *sent, struct messages *answer)
{
    static const char *const bodies[] = {"body", "event_body", "gen_ai.event.content", NULL};
    bool choice = slice_is(event->name, "gen_ai.choice");
    const struct jvalue *at = event->attributes, *body = fmt_first(at, bodies);
    const struct jvalue *v = body ? payload_parsed(a, body) : at;
    const struct jvalue *message = jget(v, "message") ? payload_parsed(a, jget(v, "message")) : NULL;
    struct messages *list = choice ? answer : sent;
    size_t before = list->n;
    int64_t index;
    /* Of several choices the run went on with the first. */
    if (!jis(v, J_OBJECT) || (choice && answer->n && jint(jget(v, "index"), &index) && index > 0))
        return false;
    const struct jvalue *inner = jis(message, J_OBJECT) ? message : v;
    struct making m = making_object(a, v);
    struct slice name = slice_sub(event->name, 7, event->name.len > 15 ? event->name.len - 15 : 0); /* gen_ai.ROLE.message */
    if (!jget(inner, "role"))
        making_put(&m, slice_str("role"), payload_text(choice ? slice_str("assistant") : name));
    for (size_t i = 0; i < inner->n; i++) {
        struct slice key = inner->keys[i];
        if (slice_is(key, "gen_ai.system") || slice_is(key, "gen_ai.provider.name") || slice_is(key, "event.name") ||
            slice_is(key, "index") ||
            slice_is(key, "gen_ai.message.index"))
            continue;
        bool json = slice_is(key, "content") || slice_is(key, "tool_calls") || slice_is(key, "message");
        const struct jvalue *item = json ? payload_parsed(a, &inner->items[i]) : &inner->items[i];
        if (slice_is(key, "content") && !payload_has_parts(item)) /* text that is JSON stays text */
            item = &inner->items[i];
        if (slice_is(key, "id") && slice_is(name, "tool"))
            key = slice_str("tool_call_id");
        making_put(&m, slice_is(key, "message") ? slice_str("content") : key, *item);
    }
    if (inner != v && jget(v, "finish_reason"))
        making_put(&m, slice_str("finish_reason"), *jget(v, "finish_reason"));
    if (inner != v && jget(v, "tool_calls"))
        making_put(&m, slice_str("tool_calls"), *payload_parsed(a, jget(v, "tool_calls")));
    payload_messages(a, list, &m.v, choice ? PAYLOAD_ANSWER : PAYLOAD_SENT, NULL);
    const struct message *last = list->n > before ? &list->items[list->n - 1] : NULL;
    if (choice && last && !last->text.len && !last->reasoning.len && !last->ncalls && !last->nblobs)
        list->n = before; /* its content was not recorded, and may stand elsewhere */
    for (size_t i = before; i < list->n; i++)
        if (!list->items[i].timestamp.ptr && !choice)
            list->items[i].timestamp = event->time;
    return true;
}

/* What an event's attributes hold is as if the span had it. */
static bool carries_attributes(struct slice name)
{
    return slice_is(name, "gen_ai.content.prompt") || slice_is(name, "gen_ai.content.completion") ||
           slice_is(name, "gen_ai.client.inference.operation.details");
}

/* Pydantic AI's list of events, each an object with its name in it, where another span would have events. */
static bool read_event_list(struct span_found *f, const struct jvalue *v, struct messages *sent, struct messages *answer,
                            struct leftovers *left)
{
    const struct jvalue *list = v ? payload_parsed(f->a, v) : NULL;
    if (!jis(list, J_ARRAY) || !span_is_message_event(jstr(jget(jat(list, 0), "event.name"))))
        return false;
    for (size_t i = 0; i < list->n; i++) {
        const struct jvalue *item = &list->items[i];
        struct span_event event = {.name = jstr(jget(item, "event.name")), .attributes = item};
        if (span_is_message_event(event.name) && !read_event(f->a, &event, sent, answer))
            leave(f->a, left, event.name, jraw(f->a, item));
    }
    span_use(f, v);
    return true;
}

void span_event_json(struct arena *a, const struct span_event *event, struct str *out)
{
    struct meta m = META_INIT;
    meta_text(&m, "name", event->name);
    meta_text(&m, "time", event->time);
    if (event->attributes && event->attributes->n)
        meta_value(&m, "attributes", event->attributes);
    str_addc(out, out->len ? ',' : '[');
    struct slice json = meta_end(&m, a);
    str_add_slice(out, json.ptr ? json : slice_str("{}"));
}

static void leave_rest(struct span_found *f, struct leftovers *left)
{
    for (size_t i = 0; f->attributes && i < f->attributes->n; i++)
        if (!f->used[i] && f->attributes->items[i].type != J_NULL)
            leave(f->a, left, f->attributes->keys[i], jraw(f->a, &f->attributes->items[i]));
}

bool span_messages(struct arena *a, const struct span *span, enum span_text text, struct messages *sent, struct messages *answer,
                   struct leftovers *left)
{
    struct span_found f;
    struct span_facts facts;
    span_find_rows(a, span->attributes, true, &f);
    span_read_facts(span, &f, &facts);
    bool tool = facts.kind == SPAN_TOOL;
    struct slice finish = facts.finish;
    const struct jvalue *all = span_take(&f, F_ALL), *system = span_take(&f, F_SYSTEM);
    if (system)
        payload_system(a, sent, system);
    size_t systems = sent->n;
    struct messages said = {0};
    struct str other = STR_INIT(META_INIT.out.max);
    if (all && !read_event_list(&f, all, &said, answer, left))
        payload_messages(a, &said, all, PAYLOAD_SENT, NULL);
    for (size_t i = 0; i < span->nevents; i++) {
        const struct span_event *event = &span->events[i];
        bool attributes = carries_attributes(event->name);
        if (span_is_message_event(event->name) && !attributes && read_event(a, event, &said, answer))
            continue;
        if (attributes) {
            struct span_found inner;
            span_find_rows(a, event->attributes, true, &inner);
            if (!system && (system = span_take(&inner, F_SYSTEM)))
                payload_system(a, sent, system);
            read_side(&inner, F_SENT, F_INPUT, PAYLOAD_SENT, TEXT_ANY, &said, left);
            read_side(&inner, F_ANSWER, F_OUTPUT, PAYLOAD_ANSWER, TEXT_ANY, answer, left);
            span_read_facts(span, &inner, &facts);
            leave_rest(&inner, left);
        } else {
            span_event_json(a, event, &other);
        }
    }
    if (other.len) {
        str_addc(&other, ']');
        leave(a, left, slice_str("events"), arena_dup(a, str_slice(&other)));
    }
    str_free(&other);
    if (!tool && !all && !read_event_list(&f, f.at[span_row_of(slice_str("events"))], &said, answer, left))
        read_side(&f, F_SENT, F_INPUT, PAYLOAD_SENT, text, &said, left);
    if (!tool)
        read_side(&f, F_ANSWER, F_OUTPUT, PAYLOAD_ANSWER, span_has_field(&f, F_CALLS) ? TEXT_NONE : text, answer, left);
    read_calls(&f, answer);
    if (all && answer->n && said.n && repeats(&said, answer))
        *answer = (struct messages){0};
    bool own_system = said.n && said.items[0].role == ROLE_SYSTEM && systems;
    if (!sent->n) {
        *sent = said;
    } else {
        messages_expect(a, sent, sent->n + said.n);
        for (size_t i = own_system && is_said(sent, said.items[0].text) ? 1 : 0; i < said.n; i++)
            *messages_add(a, sent) = said.items[i];
    }
    leave_rest(&f, left);
    if (answer->n && !answer->items[answer->n - 1].finish_reason.ptr)
        answer->items[answer->n - 1].finish_reason = finish;
    return said.n || answer->n;
}

/* ---- scores and errors --------------------------------------------------------------------------------------------------- */

struct slice span_error(const struct span *span)
{
    for (size_t i = span->nevents; i-- > 0;) {
        const struct span_event *event = &span->events[i];
        if (!slice_is(event->name, "exception"))
            continue;
        struct slice message = jstr(jget(event->attributes, "exception.message"));
        struct slice type = jstr(jget(event->attributes, "exception.type"));
        return message.len ? message : type.len ? type : span->error;
    }
    return span->error;
}

static void score_in_object(struct arena *a, struct run *run, struct slice name, const struct jvalue *value,
                            const struct jvalue *label,
                            const struct jvalue *explanation)
{
    struct score *score = fmt_score(a, run, name);
    score->value = jraw(a, value ? value : label);
    score->explanation = jstr(explanation);
    if (value && label) {
        struct meta m = META_INIT;
        meta_value(&m, "label", label);
        score->metadata = meta_end(&m, a);
    }
    if (run->success == VERDICT_UNKNOWN && fmt_is_verdict(name))
        run->success = fmt_verdict(value ? value : label);
}

void span_scores(struct arena *a, const struct span *span, struct run *run)
{
    static const char *const parts[] = {".score", ".label", ".explanation"};
    struct members members = {0};
    for (size_t i = 0; i < span->nevents; i++) {
        const struct jvalue *at = span->events[i].attributes;
        struct slice name = jstr(jget(at, "gen_ai.evaluation.name"));
        if (slice_is(span->events[i].name, "gen_ai.evaluation.result") && name.ptr)
            score_in_object(a, run, name, jget(at, "gen_ai.evaluation.score.value"), jget(at, "gen_ai.evaluation.score.label"),
                            jget(at, "gen_ai.evaluation.explanation"));
    }
    for (size_t i = 0; span->attributes && i < span->attributes->n; i++) {
        struct slice key = span->attributes->keys[i], name = slice_sub(key, 5, key.len);
        const struct jvalue *v = &span->attributes->items[i], *three[3] = {0};
        if (!slice_starts(key, "eval.") || !name.len || v->type == J_ARRAY || v->type == J_OBJECT || v->type == J_NULL ||
            slice_ends(name, "_id"))
            continue;
        for (size_t k = 0; k < 3; k++)
            if (slice_ends(name, parts[k])) {
                name = slice_sub(name, 0, name.len - strlen(parts[k]));
                for (size_t p = 0; p < 3; p++)
                    three[p] = members_get(a, &members, span->attributes, arena_printf(a, "eval.%.*s%s", SLICE_ARG(name), parts[p]));
                break;
            }
        if (!three[0] && !three[1] && !three[2])
            score_in_object(a, run, name, v, NULL, NULL);
        else if (v == three[0] || (!three[0] && v == three[1])) /* once for the three of them */
            score_in_object(a, run, name, three[0], three[1], three[2]);
    }
}
