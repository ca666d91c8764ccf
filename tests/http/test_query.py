"""SQL that means harm, each ended by a clear refusal in time and in bounded memory; and the queries that people keep."""
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

from server import COST, PROGRAM, Server
from test_api import check, described

TIMEOUT_MS = 400
MOST_MB = 700 # of two queries at a time, each of which may have 256

LARGE = "(WITH RECURSIVE l(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM l WHERE length(x) < 8000000) SELECT max(x) FROM l)"
FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
WIDE = "messages a, messages b, messages c, messages d, messages e, messages f"


def chain(first, step, last, n):
    return first + "".join(step.replace("#", str(i)).replace("@", str(i - 1)) for i in range(1, n + 1)) + last + str(n)


WRITES = """INSERT INTO run (id) VALUES ('x')|INSERT INTO runs (id) VALUES ('x')|INSERT OR REPLACE INTO collection (id) VALUES ('x')
UPDATE run SET model = 'x'|UPDATE runs SET model = 'x'|DELETE FROM run|DELETE FROM messages|REPLACE INTO task (n) VALUES (1)
DROP TABLE run|DROP VIEW runs|DROP INDEX run_of_collection|CREATE TABLE x (a)|CREATE TEMP TABLE x (a)|CREATE TABLE x AS SELECT * FROM runs
CREATE VIEW x AS SELECT 1|CREATE TRIGGER t AFTER INSERT ON run BEGIN SELECT 1; END|CREATE INDEX x ON run (model)|CREATE VIRTUAL TABLE x USING fts5(a)
ALTER TABLE run ADD COLUMN x|ALTER TABLE run RENAME TO x|VACUUM|VACUUM INTO '/tmp/telltale-stolen.db'|REINDEX|ANALYZE
WITH x AS (SELECT 1) DELETE FROM run|WITH x AS (SELECT 1) INSERT INTO run (id) SELECT 'y'|DELETE FROM run RETURNING id|UPDATE run SET id = 'x' RETURNING id
BEGIN|BEGIN EXCLUSIVE|COMMIT|ROLLBACK|SAVEPOINT s|RELEASE s""".replace("\n", "|").split("|")
OUTSIDE = """ATTACH '/tmp/telltale-stolen.db' AS s|ATTACH ':memory:' AS m|DETACH main|SELECT load_extension('/tmp/x.so')|SELECT load_extension('/tmp/x.so', 'f')
SELECT readfile('/etc/passwd')|SELECT writefile('/tmp/telltale-stolen', 'x')|SELECT edit('x')|SELECT * FROM fsdir('/')|SELECT * FROM pragma_database_list
PRAGMA user_version|PRAGMA user_version = 9|PRAGMA journal_mode = DELETE|PRAGMA writable_schema = ON|PRAGMA query_only = OFF|PRAGMA database_list
PRAGMA trusted_schema = ON|PRAGMA wal_checkpoint(TRUNCATE)|PRAGMA cache_size = 1000000|PRAGMA mmap_size = 9999999999|PRAGMA temp_store_directory = '/tmp'
EXPLAIN SELECT * FROM runs|EXPLAIN QUERY PLAN SELECT * FROM runs""".replace("\n", "|").split("|")
HIDDEN = """SELECT * FROM sqlite_master|SELECT sql FROM sqlite_schema|SELECT * FROM sqlite_temp_master|SELECT * FROM sqlite_sequence|SELECT * FROM run
SELECT * FROM job|SELECT * FROM model_connection|SELECT * FROM saved_query|SELECT * FROM dbstat|SELECT * FROM main.job|SELECT rowid FROM job
SELECT count(*) FROM job|SELECT id FROM runs WHERE id IN (SELECT id FROM job)|SELECT (SELECT payload FROM job LIMIT 1)|SELECT * FROM runs ORDER BY (SELECT max(id) FROM job)
WITH x AS (SELECT * FROM job) SELECT * FROM x|SELECT * FROM pragma_table_info('run')|SELECT * FROM pragma_table_list|SELECT sqlite_version()
SELECT sqlite_compileoption_get(1)|SELECT sqlite_source_id()|SELECT text(1)|SELECT last_insert_rowid()|SELECT changes()|SELECT * FROM json_each(load_extension('x'))
SELECT fts3_tokenizer('simple')|SELECT subtype('x')|SELECT sqlite_offset(id) FROM runs""".replace("\n", "|").split("|")
SEVERAL = ["SELECT 1; SELECT 2", "SELECT 1; DROP TABLE run", "SELECT 1;;DELETE FROM run", "; DELETE FROM run", "SELECT 1 /* ; */; PRAGMA user_version",
           "SELECT 1 -- ;\n; DROP TABLE run"]
BROKEN = ["", " ", "-- nothing", "/* open", "SELEC 1", "SELECT", "SELECT 'open", "SELECT * FROM", "SELECT * FROM nowhere", "SELECT nothing", "SELECT ?", "SELECT :name",
          "SELECT 1 WHERE", "\ufeff\u202e", "SELECT " + "(" * 5000, "SELECT " + "1+" * 20000 + "1", "SELECT " + "-" * 3001 + "1", "x" * 60000, "SELECT '" + "x" * 99000 + "'",
          "SELECT " + ",".join("1" * 1 for _ in range(3000)), "SELECT 1" + " UNION ALL SELECT 1" * 2000, "SELECT abs(-9223372036854775808)", "SELECT json('{')"]
HUGE = ["SELECT randomblob(1000000000)", "SELECT zeroblob(1000000000)", "SELECT hex(zeroblob(1000000000))", "SELECT printf('%.*c', 2147483647, 'x')",
        "SELECT format('%1000000000d', 1)", "SELECT replace(" + LARGE + ", 'a', " + LARGE + ")", "SELECT hex(hex(hex(hex(" + LARGE + "))))",
        "SELECT group_concat(a.text || b.text) FROM messages a, messages b, messages c", "SELECT json_group_array(a.text) FROM " + WIDE,
        "SELECT json_group_object(a.text || b.text, c.text) FROM " + WIDE,
        "WITH RECURSIVE c(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM c) SELECT max(length(x)) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT " + LARGE + " UNION ALL SELECT x || '' FROM c LIMIT 1000) SELECT group_concat(x) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000) SELECT x || " + LARGE + " AS y FROM c ORDER BY y",
        "SELECT quote(quote(quote(quote(quote(" + LARGE + "||''''))))) || " + LARGE + "||" + LARGE + "||" + LARGE + "||" + LARGE + "||" + LARGE]
ENDLESS = [FOREVER + "SELECT count(*) FROM n", FOREVER + "SELECT max(i) FROM n", FOREVER + "SELECT * FROM n ORDER BY i DESC", FOREVER + "SELECT 1 FROM n WHERE i < 0",
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT count(*) FROM n",
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT a.i FROM n AS a) SELECT count(*) FROM n",
           "SELECT count(*) FROM " + WIDE, "SELECT max(a.text || b.text) FROM " + WIDE, "SELECT DISTINCT a.text || b.text || c.text || d.text FROM " + WIDE,
           "SELECT a.text FROM " + WIDE + " ORDER BY a.text || b.text || c.text", "SELECT count(*) FROM " + WIDE + " WHERE a.text LIKE '%' || b.text || '%'",
           "SELECT sum(row_number() OVER (ORDER BY 1)) FROM " + WIDE, "SELECT i, row_number() OVER (ORDER BY i) FROM (" + FOREVER + "SELECT i FROM n)",
           "SELECT count(*) FROM runs x CROSS JOIN transcripts y CROSS JOIN messages z, " + WIDE, "SELECT " + LARGE + " LIKE '%' || substr(" + LARGE + ", 1, 20000) || 'b%'",
           "SELECT count(*) FROM runs WHERE EXISTS (" + FOREVER + "SELECT 1 FROM n WHERE i < 0)",
           "SELECT count(*) FROM json_each('[' || substr(replace(" + LARGE + ", 'a', '1,'), 1, 9000000) || '1]') x, messages a, messages b, messages c",
           chain("WITH c0 AS (SELECT 1 x)", ", c# AS (SELECT 1 x FROM c@ a, c@ b)", " SELECT count(*) FROM c", 40),
           chain("WITH c0 AS (SELECT 1 x)", ", c# AS (SELECT (SELECT x FROM c@) + (SELECT x FROM c@) x)", " SELECT x FROM c", 40),
           chain("WITH c0 AS (SELECT 1 x)", ", c# AS (SELECT x + x + x AS x FROM (SELECT x FROM c@))", " SELECT x FROM c", 40)]


def put_runs(s):
    """Enough messages that a cross join of them is endless."""
    s.send("POST", "collections", {"name": "c"}, 201)
    lines = ('{"id": "r%d", "messages": [%s]}' % (i, ",".join('{"role": "user", "content": "word %d %d %s"}' % (i, k, "x" * 50) for k in range(20))) for i in range(50))
    upload = s.send("POST", "collections/c/uploads?filename=a.jsonl&wait=30", "\n".join(lines).encode())
    assert upload["state"] == "done" and upload["result"]["messages"] == 1000, upload


def peak_mb(s):
    with open(f"/proc/{s.process.pid}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1)) / 1024


def test_hostile_sql_ends_in_a_clear_refusal():
    groups = {"writes": WRITES, "outside": OUTSIDE, "hidden": HIDDEN, "several": SEVERAL, "broken": BROKEN, "huge": HUGE, "endless": ENDLESS}
    # Which refusals each may end in: a wall, never a failure of the server.
    codes = {"writes": {"forbidden", "bad_request"}, "outside": {"forbidden", "bad_request"}, "hidden": {"forbidden", "bad_request"}, "several": {"bad_request", "forbidden"},
             "broken": {"bad_request", "limit"}, "huge": {"limit", "too_large", "forbidden"}, "endless": {"limit", "bad_request"}}
    assert sum(map(len, groups.values())) >= 100
    with Server() as s:
        put_runs(s)
        counts = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM messages), (SELECT count(*) FROM collections)"
        before = s.send("POST", "sql", {"query": counts})["rows"]

        def ask(group, query):
            began = time.monotonic()
            a = s.ask("POST", "sql", {"query": query, "timeout_ms": TIMEOUT_MS})
            took = time.monotonic() - began
            said = f"{group}: {query[:100]!r}: {a.status} {a.body[:200]!r}"
            assert 400 <= a.status < 500, said
            problem = a.json()
            assert problem["code"] in codes[group] and len(problem["detail"]) > 8, said
            assert took < 6 * COST, f"{took:.1f} s, {said}" # the walls look at the clock; a busy machine may keep it waiting

        with ThreadPoolExecutor(2) as two:
            for done in [two.submit(ask, group, query) for group, queries in groups.items() for query in queries]:
                done.result()
        assert s.send("POST", "sql", {"query": counts})["rows"] == before, "a query wrote"
        assert peak_mb(s) < MOST_MB * COST, f"{peak_mb(s):.0f} MB at the peak"


def test_queries_are_kept():
    with Server() as s:
        query = {"name": "Models", "text": "SELECT model FROM runs", "chart": {"type": "bar", "x": "model", "y": "n", "by": None}}
        kept = s.send("POST", "queries", query, 201)
        assert {k: kept[k] for k in query} == query and s.get("queries")["items"] == [kept]
        s.ask("POST", "queries", query).problem(409, "Models")
        s.ask("POST", "queries", {"name": "", "text": "x"}).problem(400, "name")
        s.ask("POST", "queries", {"name": "no text"}).problem(400, "text")
        changed = s.send("PUT", f"queries/{kept['id']}", {"name": "Models, again", "text": "SELECT 2"})
        assert changed["chart"] is None and changed["text"] == "SELECT 2" and changed["created_at"] == kept["created_at"]
        s.ask("PUT", "queries/00000000-0000-4000-8000-000000000000", query).problem(404)
        s.send("DELETE", f"queries/{kept['id']}", status=204)
        s.ask("DELETE", f"queries/{kept['id']}").problem(404)
        assert s.get("queries") == {"items": [], "next": None, "total": 0}


def test_the_schema_of_sql_is_what_sql_answers():
    with Server() as s:
        schema = s.get("sql/schema")
        for view in schema["views"]:
            got = s.send("POST", "sql", {"query": f"SELECT * FROM {view['name']} LIMIT 0"})
            assert got["columns"] == [c["name"] for c in view["columns"]] and view["about"] and all(c["about"] and c["type"] for c in view["columns"]), view
        assert {"count", "json_extract"} <= set(schema["functions"]) and "load_extension" not in schema["functions"]
        a = s.ask("POST", "sql", {"query": FOREVER + "SELECT count(*) FROM n", "timeout_ms": 100}).problem(422, "took too long")
        assert a["code"] == "limit"
        s.ask("POST", "sql", {"query": "SELECT 1", "timeout_ms": 60000}).problem(400, "timeout_ms")


def test_two_runs_are_compared_step_by_step():
    def run(name, cmd):
        return {"id": name, "transcripts": [{"messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "function": "bash", "arguments": {"cmd": cmd}}]},
            {"role": "tool", "tool_call_id": "1", "function": "bash", "content": "same"}]}]}
    with Server() as s:
        s.send("POST", "collections", {"name": "c"}, 201)
        s.send("POST", "collections/c/uploads?filename=a.jsonl&wait=30", "\n".join(json.dumps(run(*r)) for r in (("x", "ls"), ("y", "ls -l"))).encode())
        x, y = (r["id"] for r in sorted(s.all("collections/c/runs"), key=lambda r: r["external_id"]))
        got = s.get(f"runs/{x}/compare/{y}")
        check(got, described(s.get("/openapi.json"), "/api/v1/runs/{a}/compare/{b}", "get", 200), s.get("/openapi.json"))
        assert got["a"]["id"] == x and got["b"]["id"] == y and got["divergence"] == 1, got
        assert got["counts"] == {"same": 1, "changed": 1, "only_a": 0, "only_b": 0}
        row = got["rows"][1]
        assert row["what"] == "changed" and row["differs"] == ["arguments"] and row["a"]["gist"] == '{"cmd":"ls"}' and row["b"]["result"] == 2, row
        assert s.get(f"runs/{x}/compare/{x}")["divergence"] is None
        s.get(f"runs/{x}/compare/nobody", status=404)
