#include "detect/det.h"

#include <math.h>

const struct det dets[] = {
    {.name = "orphan-result", .revision = 1, .run = det_orphan_result},
    {.name = "missing-result", .revision = 1, .run = det_missing_result},
    {.name = "duplicate-call-id", .revision = 1, .run = det_duplicate_call_id},
    {.name = "role-order", .revision = 1, .run = det_role_order},
    {.name = "empty-message", .revision = 1, .run = det_empty_message},
    {.name = "late-system", .revision = 1, .run = det_late_system},
    {.name = "assistant-twice", .revision = 1, .run = det_assistant_twice},
    {.name = "user-twice", .revision = 1, .run = det_user_twice},
    {.name = "interrupted-call", .revision = 1, .run = det_interrupted_call},
    {.name = "second-result", .revision = 1, .run = det_second_result},
    {.name = "other-tool", .revision = 1, .run = det_other_tool},
    {.name = "nameless-call", .revision = 1, .run = det_nameless_call},
    {.name = "missing-id", .revision = 1, .run = det_missing_id},
    {.name = "wrong-form", .revision = 3, .run = det_wrong_form},
    {.name = "strict-grader", .revision = 1, .run = det_strict_grader},
    {.name = "near-form", .revision = 2, .run = det_near_form},
    {.name = "garbled-key", .revision = 3, .run = det_garbled_key},
    {.name = "answer-seen", .revision = 3, .run = det_answer_seen},
    {.name = "leaked-answer", .revision = 1, .run = det_leaked_answer},
    {.name = "unseen-answer", .revision = 1, .run = det_unseen_answer},
    {.name = "answer-origin", .revision = 2, .run = det_answer_origin},
    {.name = "question-absent", .revision = 1, .run = det_question_absent},
    {.name = "almost-passed", .revision = 1, .run = det_almost_passed},
    {.name = "score-near-one", .revision = 2, .run = det_score_near_one},
    {.name = "repeated-call", .revision = 1, .run = det_repeated_call},
    {.name = "similar-action", .revision = 3, .run = det_similar_action},
    {.name = "rounds", .revision = 1, .run = det_rounds},
    {.name = "ping-pong", .revision = 1, .run = det_ping_pong},
    {.name = "repeated-reply", .revision = 1, .run = det_repeated_reply},
    {.name = "runaway-text", .revision = 1, .run = det_runaway_text},
    {.name = "word-salad", .revision = 2, .run = det_word_salad},
    {.name = "language-shift", .revision = 1, .run = det_language_shift},
    {.name = "outlier", .revision = 2, .task = det_outlier},
    {.name = "shared-error", .revision = 1, .task = det_shared_error},
    {.name = "lenient-grader", .revision = 1, .task = det_lenient_grader},
    {.name = "contrast", .revision = 2, .over = &over_contrast},
    {.name = "streak", .revision = 2, .over = &over_streak},
    {.name = "same-answer", .revision = 2, .over = &over_same_answer},
};
const size_t det_count = sizeof dets / sizeof *dets;

double det_number(const struct rule *rule, const char *name)
{
    const struct node *value = node_get(rule->parameters, name);
    return value && value->type == NODE_NUMBER ? value->number : NAN;
}

void places_add(struct places *p, struct span span)
{
    p->total++;
    if (p->n < PLACES_SHOWN)
        p->items[p->n++] = span;
}

void places_report(struct det_run *d, const struct places *p, const char *many)
{
    struct slice title = p->total > 1 ? arena_printf(d->scratch, many, p->total) : SLICE_NONE;
    if (p->total)
        det_report(d, title.ptr, NULL, SLICE_NONE, p->items, p->n);
}

size_t det_count_of(const struct rule *rule, const char *name)
{
    double n = det_number(rule, name);
    return n > 0 && n < 1e9 ? (size_t)n : 0;
}

struct slice det_text(const struct rule *rule, const char *name)
{
    const struct node *value = node_get(rule->parameters, name);
    return value ? value->text : SLICE_NONE;
}
