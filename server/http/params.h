/* What routes may be asked and sent: the lists that rows of the route table name, each ending in a row without a name. */
#ifndef HTTP_PARAMS_H
#define HTTP_PARAMS_H

#include "http/request.h"

/* By which runs and findings are chosen: in a query, and as members of an ARG_FILTER. */
extern const struct param run_filter_params[];
/* By which a search chooses runs; its own q and collection are others. */
extern const struct param search_run_params[];

/* Asked, in the query. */
extern const struct param page_params[], runs_params[], upload_params[], wait_params[], messages_params[], jobs_params[],
    incomplete_params[], export_params[], facets_params[], stats_params[], compare_params[], map_params[], search_params[],
    search_page_params[], docs_params[], detectors_query[], exceptions_query[], rubric_query[], judgments_query[],
    judges_query[], audit_query[], labels_query[], label_sets_query[], labels_import_query[], labels_export_query[],
    agreement_query[], raters_query[], docent_permission_params[], docent_ids_params[], docent_tags_params[],
    docent_run_params[];

/* Sent, as members of a JSON body. */
extern const struct param export_fields[], no_fields[], collection_fields[], collection_change_fields[], prune_fields[],
    tag_fields[], runs_delete_fields[], review_fields[], review_many_fields[], scan_fields[], own_rule_fields[],
    exception_fields[], webhook_fields[], webhook_change_fields[], rules_test_fields[], rubric_fields[],
    rubric_check_fields[], draft_fields[], model_fields[], judge_fields[], sql_fields[], query_fields[], session_fields[],
    token_fields[], label_set_fields[], label_set_change_fields[], docent_login_fields[], docent_create_fields[],
    docent_jobs_fields[], docent_tag_fields[], docent_runs_fields[];

#endif
