#include "detect/det.h"

#include <math.h>

const struct det dets[] = {
    {.name = "orphan-result", .revision = 1, .run = det_orphan_result},
    {.name = "missing-result", .revision = 1, .run = det_missing_result},
    {.name = "duplicate-call-id", .revision = 1, .run = det_duplicate_call_id},
    {.name = "role-order", .revision = 1, .run = det_role_order},
    {.name = "empty-message", .revision = 1, .run = det_empty_message},
    {.name = "wrong-form", .revision = 2, .run = det_wrong_form},
    {.name = "near-form", .revision = 1, .run = det_near_form},
    {.name = "garbled-key", .revision = 2, .run = det_garbled_key},
    {.name = "answer-seen", .revision = 2, .run = det_answer_seen},
    {.name = "leaked-answer", .revision = 1, .run = det_leaked_answer},
    {.name = "unseen-answer", .revision = 1, .run = det_unseen_answer},
    {.name = "almost-passed", .revision = 1, .run = det_almost_passed},
    {.name = "score-near-one", .revision = 1, .run = det_score_near_one},
    {.name = "similar-action", .revision = 1, .run = det_similar_action},
    {.name = "runaway-text", .revision = 1, .run = det_runaway_text},
    {.name = "word-salad", .revision = 1, .run = det_word_salad},
};
const size_t det_count = sizeof dets / sizeof *dets;

double det_number(const struct rule *rule, const char *name)
{
    const struct node *value = node_get(rule->parameters, name);
    return value && value->type == NODE_NUMBER ? value->number : NAN;
}
