-- Why a task is called broken or suspect, in the words of the findings that say so, the gravest first.
DROP VIEW tasks;
CREATE VIEW tasks AS
SELECT c.id AS collection, t.task_id, t.runs AS attempts, t.passed AS successes, t.failed AS failures,
       CASE WHEN t.passed + t.failed > 0 THEN CAST(t.passed AS REAL) / (t.passed + t.failed) END AS pass_rate,
       (SELECT json_group_array(model) FROM task_model WHERE task = t.n AND model <> '') AS models,
       t.broken + t.odd + t.near + t.harness + t.data AS findings,
       CASE t.verdict WHEN 0 THEN 'sound' WHEN 1 THEN 'suspect' ELSE 'broken' END AS verdict,
       (SELECT json_group_array(title) FROM (SELECT title FROM finding WHERE task = t.n AND scope = 1 AND kind = 0 AND status <> 2
                                             ORDER BY status = 1 DESC, severity DESC, confidence DESC, n)) AS reasons
FROM task t JOIN collection c ON c.n = t.collection;
