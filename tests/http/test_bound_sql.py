"""SQL of a token for some collections: whatever it asks, it is answered as if there were no others. Three collections lie in one database, and in the
foreign ones a word stands in every text of every table. The same questions are put to a copy from which these were deleted, on a server that asks
nobody: what is answered there is right."""
import json
import os
import re
import shutil
import sqlite3

from server import Server, jsonl
from test_access import Closed, telltale

WORD = "gammaword"
VIEWS = ("collections", "runs", "scores", "transcripts", "messages", "tool_calls", "findings", "evidence", "labels", "tasks", "judgments")

RUNS_OF = "(SELECT n FROM run WHERE collection IN ({0}))"
FINDINGS_OF = "(SELECT n FROM finding WHERE collection IN ({0}))"
FOREIGN = { # which rows of each table are of foreign collections; {0}: their keys
    **{table: "collection IN ({0})" for table in ("task", "run", "finding", "judgment", "exception", "file", "kept_review", "atlas")},
    **{table: "id >> 26 IN " + RUNS_OF for table in ("score", "transcript", "message", "tool_call", "message_blob")},
    **{table: "run IN " + RUNS_OF for table in ("run_detail", "run_tag", "incomplete")},
    "collection": "n IN ({0})",
    "task_model": "task IN (SELECT n FROM task WHERE collection IN ({0}))",
    "span": "id >> 26 IN " + FINDINGS_OF,
    "label": "run IN " + RUNS_OF + " OR finding IN " + FINDINGS_OF,
    "judgment_detail": "judgment IN (SELECT n FROM judgment WHERE collection IN ({0}))",
    "judge": "n NOT IN (SELECT judge FROM judgment WHERE collection NOT IN ({0}))",
    "label_set": "name NOT IN (SELECT label_set FROM label WHERE NOT (run IN " + RUNS_OF + "))",
    **{table: "1" for table in ("audit", "saved_query", "webhook", "delivery", "model_call", "piece_group", "append", "rubric", "blob")}, # of the whole server
}
SERVES = {"token", "session", "job", "model_connection", "own_rule", "action"} # what a server works with, and no view reads


def runs(word, n):
    lost = lambda i: [
        {"role": "user", "content": f"{word} please {i}", "metadata": {"of": word}},
        {"role": "assistant", "content": None, "reasoning": f"{word} thinks", "model": f"{word}-model", "timestamp": "2026-01-02T03:04:05Z", "usage": {"input_tokens": i, "output_tokens": 2},
         "tool_calls": [{"id": f"{word}-call-{i}", "function": "bash", "arguments": {"command": "jq", "for": word}}, {"id": "same-call", "function": word, "arguments": f"{word} {{"}]},
        {"role": "tool", "tool_call_id": f"{word}-call-{i}", "function": "bash", "content": "bash: jq: command not found"},
        {"role": "assistant", "content": f"{word} " * 100 + "is missing"}]
    sub = [{"role": "user", "content": f"{word} below"}, {"role": "assistant", "content": "{\"a\": 1}"}]
    return [{"external_id": f"{word}-{i}", "name": f"{word} {i}", "task_id": f"{word}-task-{i % 3}", "model": f"{word}-{'ab'[i % 2]}", "agent": word, "attempt": i, "success": i % 3 == 0,
             "exit_status": word, "error": f"{word} broke", "limit": word, "tokens_in": i, "tokens_out": 7, "cost_usd": i / 4, "tags": [word, "shared"], "metadata": {"seed": i, "of": word},
             "started_at": f"2026-01-0{i + 1}T00:00:00Z", "scores": [{"name": word, "value": i, "answer": f"{word} said", "target": f"{word} wanted", "explanation": f"{word} is why"},
                                                                     {"name": "reward", "value": 0.5}],
             "transcripts": [{"id": f"{word}-main", "name": word, "metadata": {"of": word}, "messages": lost(i)}, {"id": f"{word}-sub", "parent": f"{word}-main", "messages": sub}],
             "labels": [{"set": f"{word}-set", "value": "no", "who": word}]} for i in range(n)]


def bring(s, name, word, n):
    s.as_admin("POST", "collections", {"name": name}, 201)
    lines = jsonl([{"telltale": 1, "collection": {"name": name}}, *runs(word, n)]).encode()
    up = s.ask("POST", f"collections/{name}/uploads?filename={word}.jsonl&wait=30&format=native", lines).json()
    assert up["state"] == "done" and up["result"]["runs"]["new"] == n and not up["result"]["errors"], up
    finding = next(f for f in s.ask("GET", f"collections/{name}/findings").json()["items"] if f["run"])
    s.as_admin("PATCH", f"findings/{finding['id']}", {"status": "confirmed", "note": f"{word} noted"})
    assert s.as_admin("POST", "exceptions", {"detector": finding["detector"], "collection": name, "note": word}, 201)["findings"] > 0
    run = s.ask("GET", f"collections/{name}/runs").json()["items"][0]["id"]
    s.as_admin("POST", "labels", {"run": run, "set": f"{word}-set", "value": "yes", "who": f"{word} by hand"})
    s.as_admin("POST", "queries", {"name": f"{name} kept", "text": f"SELECT '{word}'"}, 201)


def say(c, collection, finding):
    """A label of a finding, and what a judge answered of each run."""
    c.execute("INSERT INTO label (finding, label_set, value, who, created_at) VALUES (?, 'betaword-set', '\"of a finding\"', 'ann', '2026-01-01T00:00:00Z')", (finding,))
    judge = insert(c, "judge", rubric=f"rubric {collection}", version=1, judge_key=f"key {collection}", name="a judge")
    for run, hash_ in c.execute("SELECT n, content_hash FROM run WHERE collection = ?", (collection,)).fetchall():
        judgment = insert(c, "judgment", collection=collection, run=run, judge=judge, decision="yes", cost_usd=0.5, job="a job", content_hash=hash_, id=f"{run:08x}-0000-4000-8000-000000000000")
        insert(c, "judgment_detail", judgment=judgment, answer='{"x": 1}', explanation="as it is")


def insert(c, table, **values):
    for _, name, type_, must, default, key in c.execute(f"PRAGMA table_info({table})").fetchall():
        if must and default is None and not key:
            values.setdefault(name, 0 if type_ in ("INTEGER", "REAL") else b"" if type_ == "BLOB" else "2026-01-01T00:00:00Z")
    return c.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", [*values.values()]).lastrowid


def write_the_word(db):
    """Into every text of every table that holds anything of foreign collections, or of the whole server; how many columns have it."""
    said = 0
    with sqlite3.connect(db) as c:
        keys = ", ".join(str(n) for n, in c.execute("SELECT n FROM collection WHERE name <> 'own'"))
        tables = c.execute("SELECT m.name, p.name FROM sqlite_schema m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND p.type = 'TEXT' AND m.name NOT LIKE 'sqlite%'").fetchall()
        assert {t for t, _ in tables} == set(FOREIGN) | SERVES, {t for t, _ in tables} ^ (set(FOREIGN) | SERVES)
        where = {table: FOREIGN[table].format(keys) for table, _ in tables if table in FOREIGN}
        rows = {t: [r for r, in c.execute(f"SELECT {first_key(c, t)} FROM {t} WHERE {w}")] for t, w in where.items()} # before what they hang on is changed
        for table, column in tables:
            for row in rows.get(table, ()):
                said += c.execute(f'UPDATE OR IGNORE {table} SET "{column}" = coalesce("{column}", \'\') || ? WHERE {first_key(c, table)} = ?', (WORD, row)).rowcount > 0
        ids = [i for table in ("collection", "run", "finding", "judgment") for i, in c.execute(f"SELECT id FROM {table} WHERE {where[table]}")]
    return said, [i.replace(WORD, "") for i in ids]


def first_key(c, table):
    keys = [name for _, name, _, _, _, pk in c.execute(f"PRAGMA table_info({table})") if pk == 1]
    return keys[0]


_both = []


def both():
    """The server with a token for `own` alone, and the one that has nothing else; what must never be seen."""
    if not _both:
        s = Closed()
        for name, word, n in (("near", WORD, 5), ("own", "betaword", 6), ("far", WORD + "2", 4)):
            bring(s, name, word, n)
        s.bind("own", "own", scopes=("read",))
        s.stop()
        with sqlite3.connect(s.db) as c:
            for collection, finding in c.execute("SELECT collection, min(n) FROM finding GROUP BY collection").fetchall():
                say(c, collection, finding)
            c.commit()
            c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        alone = Server()
        alone.stop()
        shutil.copy(s.db, alone.db)
        for name in ("near", "far"):
            telltale(alone.db, "delete", "collection", name, "--yes")
        said, secrets = write_the_word(s.db)
        assert said > 300 and len(secrets) > 15, (said, secrets)
        s.start()
        alone.start()
        _both.extend((s, alone, secrets))
    return _both


def ask(s, query, params=None, **who):
    return s.ask("POST", "sql", {"query": query, **({"params": params} if params else {})}, **who)


def unseen(where, query, text, secrets):
    for secret in (WORD, *secrets):
        assert secret not in text or secret in query, f"{where} shows {secret}: {query}: {text[:600]}"


def rows_of(answer):
    return sorted(map(json.dumps, json.loads(answer.body)["rows"]))


def told(s, query):
    """What an agent is told."""
    r = s.ask("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "query", "arguments": {"query": query}}},
              {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}, token="own")
    assert r.status == 200, (r.status, r.body)
    return r.body.decode()


HONEST = [
    "SELECT count(*) FROM {view}",
    "SELECT DISTINCT * FROM {view}",
    "SELECT count(*) FROM {view} a, {view} b",
    "WITH x AS (SELECT * FROM {view}) SELECT * FROM x UNION ALL SELECT * FROM x",
    "SELECT EXISTS (SELECT 1 FROM {view}) AS any_at_all",
]
QUESTIONS = [
    ("SELECT model, count(*), avg(success), sum(cost_usd), max(external_id) FROM runs GROUP BY model ORDER BY model", None),
    ("SELECT external_id FROM runs WHERE success IS NULL OR success = 1 ORDER BY started_at DESC", None),
    ("SELECT id, typeof(success), typeof(cost_usd), typeof(tags), typeof(metadata), typeof(source) FROM runs ORDER BY id", None),
    ("SELECT json_object('tags', tags, 'source', source, 'metadata', metadata) FROM runs ORDER BY id", None),
    ("SELECT r.external_id, t.value FROM runs r, json_each(r.tags) t ORDER BY 1, 2", None),
    ("SELECT external_id, metadata ->> '$.seed' AS seed FROM runs WHERE json_extract(metadata, '$.seed') > ? ORDER BY seed", [2]),
    ("SELECT external_id FROM runs WHERE attempt = '3' OR attempt = 4.0 OR attempt = ? ORDER BY 1", ["2"]),
    ("SELECT external_id FROM runs WHERE +attempt = '3'", None),
    ("SELECT external_id FROM runs WHERE external_id = 3 OR name = 'BETAWORD 2' COLLATE NOCASE", None),
    ("SELECT r.external_id, m.\"index\", m.role, m.text FROM runs r JOIN messages m ON m.run = r.id WHERE r.attempt IN (1, 3) ORDER BY 1, m.transcript, 2", None),
    ("SELECT r.external_id, m.text FROM messages m JOIN runs r ON m.run = r.id AND m.\"index\" = '0' ORDER BY 1, 2", None),
    ("SELECT r.external_id, m.text FROM runs r LEFT JOIN messages m ON m.run = r.id AND m.\"index\" = r.attempt ORDER BY 1, 2", None),
    ("SELECT a.external_id, b.external_id FROM runs a JOIN runs b ON a.task_id = b.task_id AND a.id <> b.id ORDER BY 1, 2", None),
    ("SELECT a.external_id, b.external_id FROM runs a LEFT JOIN runs b ON a.task_id = b.task_id AND a.attempt = b.attempt + 3 ORDER BY 1, 2", None),
    ("SELECT a.attempt, b.name, b.value FROM runs a JOIN scores b ON a.attempt = b.value ORDER BY 1, 2, 3", None),
    ("SELECT r.external_id, f.detector FROM runs r FULL JOIN findings f ON f.run = r.id ORDER BY 1, 2", None),
    ("SELECT r.external_id, f.detector FROM findings f RIGHT JOIN runs r ON f.run = r.id AND f.severity = 'high' ORDER BY 1, 2", None),
    ("SELECT r.external_id, l.value, l.who FROM labels l RIGHT JOIN runs r USING (id) ORDER BY 1, 2", None),
    ("SELECT l.value, l.who, f.detector FROM labels l LEFT JOIN findings f ON f.id = l.finding ORDER BY 1, 2, 3", None),
    ("SELECT l.value FROM labels l WHERE l.finding = (SELECT finding FROM labels WHERE finding IS NOT NULL)", None),
    ("SELECT f.detector, f.status, f.note, e.part, e.quote, substr(m.text, e.start + 1, e.\"end\" - e.start) AS words FROM findings f JOIN evidence e ON e.finding = f.id"
     " LEFT JOIN messages m ON m.run = e.run AND m.transcript = e.transcript AND m.\"index\" = e.message ORDER BY f.id, e.start, 1, 5", None),
    ("SELECT t.task_id, t.attempts, t.models, t.verdict, t.reasons, count(r.id) FROM tasks t LEFT JOIN runs r ON r.task_id = t.task_id AND r.collection = t.collection GROUP BY 1 ORDER BY 1", None),
    ("SELECT c.name, c.arguments, c.parse_error, m.role FROM tool_calls c JOIN messages m ON m.run = c.run AND m.transcript = c.transcript AND m.\"index\" = c.message ORDER BY c.run, c.position", None),
    ("SELECT a.text, b.text FROM messages a JOIN messages b ON a.tool_call_id = b.tool_call_id AND a.run <> b.run ORDER BY 1, 2", None),
    ("SELECT j.rubric, j.judge, j.answer, r.external_id FROM judgments j JOIN runs r ON r.id = j.run ORDER BY 4", None),
    ("SELECT c.name, count(DISTINCT r.id), count(f.id) FROM collections c LEFT JOIN runs r ON r.collection = c.id LEFT JOIN findings f ON f.run = r.id GROUP BY c.id", None),
    ("SELECT external_id, row_number() OVER (PARTITION BY model ORDER BY external_id) AS n, sum(cost_usd) OVER (ORDER BY external_id) AS s FROM runs ORDER BY 1", None),
    ("SELECT role, count(*), max(length(text)) FROM messages GROUP BY role HAVING count(*) > 1 ORDER BY role", None),
    ("SELECT external_id FROM runs r WHERE NOT EXISTS (SELECT 1 FROM findings f WHERE f.run = r.id) ORDER BY 1", None),
    ("SELECT external_id, (SELECT count(*) FROM messages m WHERE m.run = r.id) AS n, (SELECT max(name) FROM scores s WHERE s.run = r.id) AS s FROM runs r ORDER BY 1", None),
    ("SELECT external_id FROM runs WHERE id IN (SELECT run FROM scores WHERE value = 3) OR id IN (SELECT run FROM findings WHERE severity = 'high') ORDER BY 1", None),
    ("SELECT external_id FROM runs WHERE model = 'betaword-a' OR agent = 'x' OR task_id = 'betaword-task-1' ORDER BY 1", None),
    ("SELECT external_id FROM runs WHERE (model, task_id) IN (SELECT model, task_id FROM runs WHERE attempt < 2) ORDER BY 1", None),
    ("SELECT external_id FROM runs EXCEPT SELECT external_id FROM runs WHERE attempt > 2 ORDER BY 1", None),
    ("WITH RECURSIVE up(id, parent, depth) AS (SELECT id, parent, 0 FROM transcripts WHERE run = (SELECT min(id) FROM runs) UNION ALL"
     " SELECT t.id, t.parent, depth + 1 FROM transcripts t JOIN up ON t.id = up.parent WHERE depth < 5) SELECT id, max(depth) FROM up GROUP BY id ORDER BY id", None),
    ("SELECT name, value, typeof(value) FROM scores WHERE value = 3 OR value = '3' OR value > 4 ORDER BY 1, 2", None),
    ("SELECT count(*) FROM messages WHERE text LIKE '%betaword%' AND reasoning IS NULL", None),
    ("SELECT * FROM runs WHERE id = ? OR id = ?", [None, "x"]),
    ("SELECT external_id FROM runs WHERE model IN ('betaword-a', 'x', 'y', 'z', NULL) AND task_id IN (SELECT task_id FROM tasks) AND attempt IN (0, 2, 4) ORDER BY 1", None),
    ("SELECT r.external_id, (SELECT count(*) FROM messages m WHERE m.role = r.exit_status OR m.role = 'user') AS n, (SELECT max(s.name) FROM scores s WHERE s.value = r.attempt) AS s"
     " FROM runs r ORDER BY 1", None),
    ("SELECT a.external_id, b.external_id FROM runs a, runs b, runs c WHERE a.task_id = b.task_id AND b.model = c.model AND c.attempt = a.attempt ORDER BY 1, 2", None),
]

# What somebody tries who wants to see more.
TABLES = ("run", "main.run", "temp.run", "collection", "message", "finding", "block", "gram_part", "token", "audit", "job", "judge", "saved_query", "rubric", "label", "task_model",
          "sqlite_schema", "sqlite_master", "main.sqlite_schema", "temp.sqlite_schema", "sqlite_temp_master", "sqlite_sequence", "sqlite_stat1", "sqlite_stat4", "dbstat", "sqlite_dbpage",
          "sqlite_stmt", "bytecode('SELECT 1')", "tables_used('SELECT 1')", "pragma_table_list", "pragma_table_info('run')", "pragma_database_list", "pragma_function_list", "pragma_module_list",
          "pragma_stats", "pragma_integrity_check", "fts5vocab", "generate_series(1, 2)", "t0", "i0")
HOSTILE = [
    *[f"SELECT * FROM {table}" for table in TABLES],
    *[f"SELECT count(*) FROM {table}" for table in TABLES],
    *[f"WITH {view} AS (SELECT * FROM {table}) SELECT * FROM {view}" for view, table in zip(VIEWS, TABLES)],
    "WITH runs AS (SELECT * FROM run) SELECT * FROM runs", "WITH run AS (SELECT * FROM main.run) SELECT * FROM run", "WITH runs AS (SELECT * FROM main.runs) SELECT * FROM runs",
    "WITH messages AS (SELECT text FROM message) SELECT * FROM messages", "WITH runs(id) AS (SELECT n FROM run UNION SELECT 1) SELECT * FROM runs",
    "SELECT * FROM main.runs", "SELECT * FROM temp.runs", "SELECT main.runs.* FROM main.runs", "SELECT count(*) FROM main.messages",
    "SELECT rowid FROM runs", "SELECT rowid, _rowid_, oid FROM messages", "SELECT max(rowid) FROM runs", "SELECT external_id FROM runs WHERE rowid > 0", "SELECT count(*) FROM runs a JOIN runs b ON a.rowid = b.rowid", "SELECT external_id FROM runs ORDER BY runs.oid * 0",
    "SELECT \"rowid\" + 0 FROM findings", "SELECT main.runs.rowid FROM runs", "SELECT x.rowid FROM (SELECT * FROM runs) x", "WITH x AS MATERIALIZED (SELECT rowid AS n FROM judgments) SELECT n FROM x",
    "SELECT (SELECT max(m.rowid) FROM messages m WHERE m.run = r.id) FROM runs r", "SELECT count(rowid) FROM tool_calls",
    "SELECT external_id FROM runs WHERE rowid = 1", "SELECT which FROM runs",
    "SELECT whose FROM runs", "SELECT \"whose else\" FROM labels", "SELECT n FROM runs", "SELECT runs.collection FROM runs, collection",
    "SELECT mine(1)", "SELECT text(65536)", "SELECT * FROM runs WHERE mine(2)", "SELECT mine(collection) FROM runs",
    # errors and times that would tell of values of others
    f"SELECT count(*) FROM runs WHERE abs(CASE WHEN model LIKE '%{WORD}%' THEN -9223372036854775808 ELSE 1 END) > 0",
    f"SELECT count(*) FROM messages WHERE CASE WHEN text LIKE '%{WORD}%' THEN abs(-9223372036854775808) ELSE 1 END",
    f"SELECT count(*) FROM messages m, runs r WHERE m.run = r.id AND CASE WHEN m.text LIKE '%{WORD}%' THEN json_extract('{{', '$.a') ELSE 1 END",
    f"SELECT count(*) FROM runs a JOIN runs b ON a.task_id = b.task_id WHERE CASE WHEN b.name LIKE '%{WORD}%' THEN json('x') ELSE 1 END",
    f"SELECT count(*) FROM runs a JOIN runs b ON a.name = b.name AND json_extract(CASE WHEN b.agent LIKE '%{WORD}%' THEN '{{' ELSE '{{}}' END, '$') = '{{}}'",
    f"SELECT count(*) FROM collections WHERE CASE WHEN name <> 'own' THEN json_extract('{{', '$') ELSE 1 END",
    "SELECT count(*) FROM runs WHERE json_extract(metadata, '$.seed') IS NOT NULL", "SELECT sum(json_array_length(tags)) FROM runs",
    "SELECT count(*) FROM scores WHERE 1 / (name <> 'x') = 1", "SELECT json(group_concat(text)) FROM messages", "SELECT json_extract(text, '$.a') FROM messages",
    "SELECT json_each.value FROM runs, json_each(runs.name)", "SELECT value FROM json_each((SELECT group_concat(name) FROM collections))",
    "SELECT sum(9223372036854775807) FROM runs", "SELECT CAST(text AS INTEGER) + 9223372036854775807 FROM messages", "SELECT substr(text, -9223372036854775808) FROM messages",
    f"SELECT count(*) FROM messages WHERE text LIKE '%{WORD}%' ESCAPE 'xy'", "SELECT text FROM messages ORDER BY nowhere", "SELECT * FROM runs WHERE id = (SELECT id, name FROM runs)",
    "SELECT ambiguous FROM runs a, runs b", "SELECT id FROM runs a, runs b", "SELECT name FROM runs JOIN collections", "SELECT * FROM runs INDEXED BY run_imported",
    "SELECT * FROM runs NOT INDEXED", "SELECT max(name) FROM (SELECT name FROM collections UNION ALL SELECT name FROM runs)",
    "SELECT a.name FROM collections a LEFT JOIN collections b ON 1 = 1 WHERE b.name <> 'own'", "SELECT a.id FROM runs a RIGHT JOIN runs b ON 0", "SELECT a.id, b.id FROM runs a FULL JOIN messages b ON a.id = b.text",
    "SELECT * FROM collections WHERE name = 'near' OR name = 'far' OR 1", "SELECT * FROM runs WHERE collection <> (SELECT id FROM collections)",
    "SELECT * FROM evidence WHERE run NOT IN (SELECT id FROM runs)", "SELECT * FROM findings WHERE run NOT IN (SELECT id FROM runs)", "SELECT * FROM labels WHERE run IS NULL",
    "SELECT * FROM labels WHERE run IS NULL AND finding IS NULL", "SELECT * FROM judgments WHERE run NOT IN (SELECT id FROM runs) OR superseded = 1",
    "SELECT * FROM tasks WHERE models LIKE '%a%' OR reasons LIKE '%a%'",
    # what plans, counts and statistics would tell
    "EXPLAIN SELECT * FROM runs", "EXPLAIN QUERY PLAN SELECT * FROM runs", "EXPLAIN SELECT * FROM run", "ANALYZE", "PRAGMA stats", "PRAGMA page_count", "PRAGMA data_version", "PRAGMA table_list",
    "SELECT total_changes(), changes(), last_insert_rowid()", "SELECT sqlite_version(), sqlite_source_id()", "SELECT sqlite_compileoption_get(0)", "SELECT sqlite_offset(id) FROM runs",
    # what changes something, or comes from elsewhere
    "ATTACH '{db}' AS x", "SELECT * FROM x.run", "VACUUM INTO '/tmp/telltale-stolen.db'", "CREATE TEMP TABLE t AS SELECT * FROM runs", "CREATE TEMP VIEW runs AS SELECT * FROM run",
    "CREATE VIRTUAL TABLE t USING runs", "CREATE VIRTUAL TABLE t USING messages(a)", "DROP TABLE runs", "INSERT INTO runs (id) VALUES ('x')", "UPDATE runs SET name = 'x'", "DELETE FROM messages",
    "SELECT load_extension('x')", "SELECT readfile('{db}')", "SELECT fts3_tokenizer('simple')", "SELECT * FROM runs('x')", "SELECT * FROM runs(1, 2, 3)", "SELECT edit('x')",
    "SELECT 1; SELECT * FROM run", "SELECT 1; ATTACH '{db}' AS x", "SELECT * FROM json_tree((SELECT json_group_array(json_array(id, name, metadata)) FROM (SELECT * FROM runs ORDER BY id)))",
    "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x WHERE n < 2000) SELECT * FROM x, collections LIMIT 3", "SELECT DISTINCT c.name, r.model, t.name FROM collections c, runs r, messages m, tool_calls t",
]


def test_honest_questions_are_answered_as_if_nothing_else_were_there():
    s, alone, secrets = both()
    asked = 0
    for query, params in [*QUESTIONS, *((form.format(view=view), None) for form in HONEST for view in VIEWS), *((f"SELECT * FROM {view}", None) for view in VIEWS)]:
        got, right = ask(s, query, params, token="own"), ask(alone, query, params)
        assert right.status == 200 or "USING (id)" in query, (query, right.body)
        assert got.status == right.status, f"{query}: {got.status} {got.body[:400]!r}, not {right.status}"
        unseen("/sql", query, got.body.decode(), secrets)
        if right.status != 200:
            continue
        same = got.body == right.body if "ORDER BY" in query else (rows_of(got), json.loads(got.body)["columns"]) == (rows_of(right), json.loads(right.body)["columns"])
        assert same, f"{query}:\n{got.body[:1500]!r}, not\n{right.body[:1500]!r}"
        asked += 1
    assert asked > 80, asked
    full = lambda view: len(json.loads(ask(s, f"SELECT * FROM {view}").body)["rows"])
    for view in VIEWS: # and something is hidden
        assert 0 < len(rows_of(ask(s, f"SELECT * FROM {view}", token="own"))) < full(view), view


def test_hostile_questions_see_nothing_of_other_collections():
    s, alone, secrets = both()
    answered = 0
    for query in HOSTILE:
        query = query.replace("{db}", s.db)
        got, right = ask(s, query, token="own"), ask(alone, query.replace("temp.runs", "runs")) # there it has the same table in every schema
        where = f"{query}: {got.status} {got.body[:400]!r}, and alone {right.status} {right.body[:400]!r}"
        unseen("/sql", query, got.body.decode(), secrets)
        assert got.status in (200, 400, 403), where
        if got.status == 200:
            assert right.status in (200, 403) and (right.status == 403 or rows_of(got) == rows_of(right)), where
            assert right.status == 200 or rows_of(got) in ([], ["[0]"]), where
            answered += 1
        else:
            assert right.status != 200 or b"no such table" in got.body, where # of one beneath a view the count is told to who sees everything
        unseen("the tool query", query, told(s, query), secrets)
    numbered = json.loads(ask(s, "SELECT f.rowid, r.rowid FROM findings f RIGHT JOIN runs r ON f.run = r.id", token="own").body)["rows"]
    assert len(numbered) > 6 and all(row == [None, None] for row in numbered), numbered # the numbers would tell how many others there are
    assert "betaword-task-1" in told(s, "SELECT task_id FROM tasks"), "the tool answers at all"
    assert len(HOSTILE) > 120 and answered >= 30, (len(HOSTILE), answered)
    assert not os.path.exists("/tmp/telltale-stolen.db")


def test_an_id_of_another_collection_is_not_there():
    s, _, secrets = both()
    some = json.dumps([*secrets, *(i + WORD for i in secrets)])
    for column, view in (("id", "runs"), ("collection", "runs"), ("run", "messages"), ("run", "scores"), ("id", "findings"), ("finding", "evidence"), ("run", "evidence"), ("run", "labels"),
                         ("finding", "labels"), ("collection", "tasks"), ("id", "collections"), ("id", "judgments"), ("run", "judgments"), ("run", "transcripts"), ("run", "tool_calls")):
        for where, given in ((f"{column} IN (SELECT value FROM json_each(?))", some), (f"{column} = ?", secrets[0] + WORD), (f"+{column} = ?", secrets[-1])):
            r = ask(s, f"SELECT * FROM {view} WHERE {where}", [given], token="own")
            assert r.status == 200 and rows_of(r) == [], (view, where, r.body)
    r = ask(s, "SELECT r.id, m.text FROM json_each(?) j JOIN runs r ON r.id = j.value LEFT JOIN messages m ON m.run = r.id", [some], token="own")
    assert r.status == 200 and rows_of(r) == [], r.body


def test_what_a_token_is_bound_to_counts_at_each_question():
    s, _, _ = both()
    s.bind("near and own", "near" + WORD, "own", scopes=("read",)), s.bind("far", "far" + WORD, scopes=("read",))
    ids = lambda token: {r[0] for r in json.loads(ask(s, "SELECT id FROM runs", token=token).body)["rows"]}
    own, two, far = ids("own"), ids("near and own"), ids("far")
    assert (len(own), len(two), len(far)) == (6, 11, 4) and own < two and not two & far, (own, two, far)
    for _ in range(8): # whichever connection answers, and whoever asked on it before
        assert (ids("own"), ids("far"), ids("near and own"), len(ids("admin"))) == (own, far, two, 15)
    s.bind("nothing more", "far" + WORD, scopes=("read",))
    s.as_admin("DELETE", "collections/far" + WORD, status=204)
    assert ids("nothing more") == set() and len(ids("admin")) == 11
    r = ask(s, "SELECT count(*) FROM runs", token="nothing more")
    assert rows_of(r) == ["[0]"], r.body


def test_the_servers_of_these_questions_end():
    while _both:
        s, alone, _ = _both
        _both.clear()
        s.__exit__(None)
        alone.__exit__(None)
