/* The numbers that are kept up instead of counted, against what counting gives. */
#include "storage/check_in.h"

#define OF_KINDS "coalesce(sum(kind = 0), 0), coalesce(sum(kind = 1), 0), coalesce(sum(kind = 2), 0), coalesce(sum(kind = 3), 0), coalesce(sum(kind = 4), 0)"
#define OUTCOMES "count(*), coalesce(sum(success = 1), 0), coalesce(sum(success = 0), 0)"

#define RUN_KINDS "(SELECT " OF_KINDS " FROM finding WHERE run = r.n AND status <> 2)"
#define RUN_COUNTS "(broken, odd, near, harness, data)"
#define TASK_OUTCOMES "(SELECT " OUTCOMES " FROM run WHERE task = t.n)"
#define TASK_KINDS "(SELECT " OF_KINDS " FROM finding WHERE task = t.n AND scope <> 2 AND status <> 2)"
#define TASK_VERDICT                                                                                                                     \
    "coalesce((SELECT max(CASE WHEN severity = 2 OR status = 1 THEN 2 ELSE 1 END) FROM finding"                                           \
    " WHERE task = t.n AND scope = 1 AND kind = 0 AND status <> 2), 0)"
#define MODEL_OUTCOMES "SELECT task, coalesce(model, '') AS model, " OUTCOMES " FROM run WHERE task IS NOT NULL GROUP BY 1, 2"
#define COLLECTION_OUTCOMES                                                                                                              \
    "(SELECT " OUTCOMES ", coalesce(sum(broken + odd + near + harness + data > 0), 0), coalesce(sum(bytes), 0) FROM run WHERE collection = c.n)"
#define COLLECTION_FINDINGS "(SELECT count(*) FROM finding WHERE collection = c.n AND status <> 2)"

/* In this order: what comes later counts on what comes before. */
static const struct {
    const char *table, *find, *mend;
} counters[] = {
    {"run", "SELECT 'run ' || id || ' shows other numbers of findings than it has' FROM run r WHERE " RUN_COUNTS " IS NOT " RUN_KINDS,
     "UPDATE run AS r SET " RUN_COUNTS " = " RUN_KINDS " WHERE " RUN_COUNTS " IS NOT " RUN_KINDS},
    {"task", "SELECT 'task ' || task_id || ' shows other numbers of runs, findings or another verdict than it has' FROM task t"
             " WHERE (runs, passed, failed) IS NOT " TASK_OUTCOMES " OR " RUN_COUNTS " IS NOT " TASK_KINDS " OR verdict <> " TASK_VERDICT,
     "UPDATE task AS t SET (runs, passed, failed) = " TASK_OUTCOMES ", " RUN_COUNTS " = " TASK_KINDS ", verdict = " TASK_VERDICT},
    {"task_model", "SELECT 'task ' || task_id || ' shows other numbers for a model than it has' FROM task WHERE n IN (SELECT task FROM"
                   " (SELECT task, model, runs, passed, failed FROM task_model WHERE runs UNION ALL " MODEL_OUTCOMES ")"
                   " GROUP BY task, model, runs, passed, failed HAVING count(*) <> 2)",
     "DELETE FROM task_model; INSERT INTO task_model (task, model, runs, passed, failed) " MODEL_OUTCOMES},
    {"collection", "SELECT 'collection ' || name || ' shows other numbers of runs, bytes or findings than it has' FROM collection c"
                   " WHERE (runs, passed, failed, flagged, bytes) IS NOT " COLLECTION_OUTCOMES " OR findings <> " COLLECTION_FINDINGS,
     "UPDATE collection AS c SET (runs, passed, failed, flagged, bytes) = " COLLECTION_OUTCOMES ", findings = " COLLECTION_FINDINGS},
};
enum { COUNTERS = sizeof counters / sizeof *counters };

bool check_counts(struct check *c, struct err *e)
{
    for (int i = 0; i < COUNTERS; i++) {
        struct arena a = {0};
        int64_t rows;
        bool ok = check_number(c->store, arena_printf(&a, "SELECT count(*) FROM %s", counters[i].table).ptr, &rows, e) && check_looked(c, rows, e);
        arena_free(&a);
        if (!ok || !check_query(c, counters[i].find, e))
            return false;
    }
    return true;
}

bool mend_counts(struct store *s, struct err *e)
{
    for (int i = 0; i < COUNTERS; i++)
        if (!db_script(s->db, counters[i].mend, e))
            return false;
    return true;
}
