/* The one table of routes: what the server answers, and with that /openapi.json, 404, 405 and the checks of arguments. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "base/jsonw.h"
#include "http/request.h"

/* Where a handler runs. Each lane has its own threads, so that a long search keeps nobody from reading a run, and a write
 * that waits for the database's lock keeps nobody from searching. */
enum lane {
    LANE_INLINE, /* on the connection's thread: memory only, no store */
    LANE_READ,
    LANE_WRITE,
    LANE_LONG,   /* reads only: broken off when the client has gone */
    LANE_CALL,   /* asks another server, which may take minutes to answer: nothing else waits for it, and few may do so at a time */
};
enum { LANES = 5 };

enum body { BODY_NONE, BODY_JSON /* an object with the members in `fields` */, BODY_BYTES /* anything, in memory */, BODY_SPOOL /* to a file */ };

/* The scope that a call needs where tokens are asked for. A row that does not say is refused, and a test looks for it. */
enum need {
    NEED_UNSAID,
    NEED_NONE,   /* no token */
    NEED_ANY,    /* any token */
    NEED_INGEST,
    NEED_STATE,  /* ingest, of what the token itself put in; or read */
    NEED_READ,
    NEED_REVIEW,
    NEED_ADMIN,
};
enum { NEEDS = NEED_ADMIN + 1 };
/* Whose the thing is that a call is about: what decides for a token that is bound to collections. What lies in others is not there for it: the
 * store sees to that (storage/inside.h), wherever it is named. */
enum of {
    OF_UNSAID,
    OF_NOTHING,    /* nothing of anybody */
    OF_SESSION,    /* of whoever asks */
    OF_SHARED,     /* of the server, and all may see it */
    OF_ALL,        /* of the server: needs a token for all collections */
    OF_OWN,        /* of the collections that it is bound to: a list, or what the body or the query names */
    OF_COLLECTION, /* of the collection in the path; from here on, of the thing in the path */
    OF_RUN,
    OF_FINDING,
    OF_JOB,
    OF_JUDGMENT,
    OF_LABEL,
    OF_EXCEPTION,
    OF_BLOB,
};
enum { OFS = OF_BLOB + 1 };
extern const char *const need_names[NEEDS], *const of_names[OFS]; /* "read", "collection" */

struct route {
    const char *method;               /* GET answers HEAD too */
    const char *path;                 /* "/api/v1/runs/{id}": {…} is one segment */
    enum need need;
    enum of of;
    bool (*handle)(struct request *r, struct answer *a, struct err *e);
    enum lane lane;
    enum lane (*lane_of)(struct request *r); /* instead of `lane`: told by the body; NULL */
    const struct param *query[4];     /* lists of parameters; what is in none of them is refused */
    enum body body;
    const struct param *fields;       /* of a JSON body */
    const char *takes;                /* media types of BODY_BYTES: "a/b|c/d", others are refused; NULL: JSON, whatever it is called */
    int status;                       /* of success */
    const char *type;                 /* media type of success; NULL: application/json */
    void (*problem)(struct answer *a, const struct request *r, const struct err *e); /* body and type of an error; NULL: problem+json */
    const char *schema;               /* of success, in the notation of schema.h; NULL: no body, or no JSON */
    bool makes;                       /* the collection that is named, where it is missing */
    bool streams;                     /* called all the time: its changes are logged once an hour */
    const char *summary;              /* NULL: a page, which /openapi.json leaves out */
};
extern const struct route routes[];
extern const size_t route_count;

enum route_match { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };
/* Finds the row for r->method and r->segment[], sets r->route and r->path[]. On ROUTE_NO_METHOD `allow` gets what the path does
 * answer, as in an Allow header. */
enum route_match route_find(struct request *r, struct slice *allow);

/* The JSON Schema of a parameter, with what it is about or without. */
void openapi_param(struct jsonw *j, const struct param *p, bool about);
/* OpenAPI 3.1, made from the table. */
void openapi_write(struct str *out);

/* The handlers, by theme. */
#define HANDLER(name) bool name(struct request *r, struct answer *a, struct err *e)
/* api_collections.c */
HANDLER(api_collections);
HANDLER(api_collection_add);
HANDLER(api_collection);
HANDLER(api_collection_change);
HANDLER(api_collection_delete);
HANDLER(api_summary);
HANDLER(api_tasks);
HANDLER(api_fields);
HANDLER(api_facets);
HANDLER(api_stats);
HANDLER(api_task);
HANDLER(api_incomplete);
HANDLER(api_export);
HANDLER(api_export_some);
/* api_runs.c */
HANDLER(api_runs);
HANDLER(api_run);
HANDLER(api_run_compare);
HANDLER(api_run_delete);
HANDLER(api_messages);
HANDLER(api_messages_add);
HANDLER(api_runs_delete);
HANDLER(api_tag);
HANDLER(api_blob);
/* api_findings.c */
HANDLER(api_findings);
HANDLER(api_finding);
HANDLER(api_finding_review);
HANDLER(api_findings_review);
HANDLER(api_detectors);
HANDLER(api_rules_test);
/* api_compare.c */
HANDLER(api_compare);
HANDLER(api_contrast);
/* api_map.c */
HANDLER(api_map);
HANDLER(api_map_make);
/* api_labels.c */
HANDLER(api_labels);
HANDLER(api_label_add);
HANDLER(api_label_delete);
HANDLER(api_label_sets);
HANDLER(api_label_set);
HANDLER(api_label_set_add);
HANDLER(api_label_set_change);
HANDLER(api_label_set_delete);
HANDLER(api_labels_import);
HANDLER(api_labels_export);
/* api_agreement.c */
HANDLER(api_agreement);
HANDLER(api_raters);
/* api_jobs.c */
HANDLER(api_upload_add);
HANDLER(api_file);
HANDLER(api_upload);
HANDLER(api_sample);
HANDLER(api_scan);
HANDLER(api_jobs);
HANDLER(api_job);
HANDLER(api_job_cancel);
HANDLER(api_job_retry);
HANDLER(api_system);
/* api_otlp.c */
HANDLER(api_otlp);
HANDLER(api_otlp_logs);
HANDLER(api_langfuse_otlp);
void otlp_problem(struct answer *a, const struct request *r, const struct err *e);
/* api_langfuse.c */
HANDLER(api_langfuse);
HANDLER(api_langfuse_health);
HANDLER(api_langfuse_projects);
/* api_exceptions.c */
HANDLER(api_exceptions);
HANDLER(api_exception_add);
HANDLER(api_exception_test);
HANDLER(api_exception_delete);
/* api_rules.c */
HANDLER(api_own_rules);
HANDLER(api_own_rule_versions);
HANDLER(api_own_rule_put);
HANDLER(api_own_rule_delete);
HANDLER(api_rule_schema);
/* api_query.c */
HANDLER(api_search);
HANDLER(api_search_facets);
HANDLER(api_sql);
HANDLER(api_sql_schema);
HANDLER(api_queries);
HANDLER(api_query_add);
HANDLER(api_query_change);
HANDLER(api_query_delete);
/* api_system.c */
HANDLER(api_health);
HANDLER(api_ready);
HANDLER(api_metrics);
HANDLER(api_reload);
HANDLER(api_prune);
HANDLER(api_openapi);
/* api_webhooks.c */
HANDLER(api_webhooks);
HANDLER(api_webhook_add);
HANDLER(api_webhook_change);
HANDLER(api_webhook_delete);
HANDLER(api_webhook_test);
HANDLER(api_deliveries);
/* api_access.c */
HANDLER(api_session);
HANDLER(api_session_add);
HANDLER(api_session_delete);
HANDLER(api_tokens);
HANDLER(api_token_add);
HANDLER(api_token_revoke);
HANDLER(api_audit);
/* mcp.c */
HANDLER(api_mcp);
enum lane mcp_lane(struct request *r);
/* api_rubrics.c */
HANDLER(api_rubrics);
HANDLER(api_rubric);
HANDLER(api_rubric_versions);
HANDLER(api_rubric_add);
HANDLER(api_rubric_change);
HANDLER(api_rubric_delete);
HANDLER(api_rubric_check);
/* api_models.c */
HANDLER(api_models);
HANDLER(api_model_put);
HANDLER(api_model_delete);
HANDLER(api_model_test);
HANDLER(api_model_try);
/* api_judgments.c */
HANDLER(api_judgments);
HANDLER(api_judgment);
HANDLER(api_judges);
HANDLER(api_judgments_estimate);
HANDLER(api_judgments_add);
HANDLER(api_rubric_draft);
/* docent.c */
HANDLER(docent_ping);
HANDLER(docent_key);
HANDLER(docent_me);
HANDLER(docent_login);
HANDLER(docent_collections);
HANDLER(docent_create);
HANDLER(docent_collection);
HANDLER(docent_details);
HANDLER(docent_exists);
HANDLER(docent_permission);
HANDLER(docent_change);
HANDLER(docent_delete);
HANDLER(docent_embeddings);
HANDLER(docent_runs_add);
HANDLER(docent_job);
HANDLER(docent_job_statuses);
HANDLER(docent_run_ids);
HANDLER(docent_runs_delete);
HANDLER(docent_run);
HANDLER(docent_run_metadata);
HANDLER(docent_tag_add);
HANDLER(docent_tag_delete);
HANDLER(docent_run_tags);
HANDLER(docent_tags);
/* api_docs.c */
HANDLER(api_docs);
HANDLER(api_docs_page);
/* page.c */
HANDLER(page_index);
HANDLER(page_asset);
HANDLER(page_icon);
/* At an address that no row has, who asks for text/html gets a few lines to read, which are not the page, with status 404. False, with nothing in
 * `a`: it is not asked for as that, or it lies where programs ask. */
bool page_nowhere(const struct request *r, struct answer *a);

#endif
