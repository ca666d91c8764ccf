"""The calls of the API, against the sample collection, and every answer against its own description."""
import csv
import io
import json
import re
import subprocess
import tempfile
import urllib.parse

from server import Server, chat, jsonl, sample

RUNS = "collections/sample/runs"

# ---- the description ------------------------------------------------------------------------------------------------------------


def check(value, schema, doc, at="answer"):
    """A small JSON Schema validator: what the description uses of it."""
    if "$ref" in schema:
        target = doc
        for key in schema["$ref"][2:].split("/"):
            target = target[key]
        return check(value, target, doc, at)
    if "anyOf" in schema:
        if value is None:
            assert {"type": "null"} in schema["anyOf"], f"{at} may not be null"
            return
        return check(value, schema["anyOf"][0], doc, at)
    kinds = {"string": str, "boolean": bool, "object": dict, "array": list, "number": (int, float), "integer": int}
    if "type" in schema:
        assert isinstance(value, kinds[schema["type"]]), f"{at} is {value!r:.100}, not {schema['type']}"
        assert not (isinstance(value, bool) and schema["type"] in ("number", "integer")), f"{at} is a bool"
    if schema.get("format") == "uuid":
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value), f"{at} is no UUID: {value!r}"
    if schema.get("format") == "date-time":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value), f"{at} is no time: {value!r}"
    if "properties" in schema:
        assert set(schema["required"]) <= set(value), f"{at} lacks {set(schema['required']) - set(value)}"
        assert set(value) <= set(schema["properties"]), f"{at} has undescribed {set(value) - set(schema['properties'])}"
        for key, item in value.items():
            check(item, schema["properties"][key], doc, f"{at}.{key}")
    elif isinstance(value, dict) and "additionalProperties" in schema:
        for key, item in value.items():
            check(item, schema["additionalProperties"], doc, f"{at}.{key}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            check(item, schema["items"], doc, f"{at}[{i}]")


def described(doc, path, method, status):
    return doc["paths"][path][method]["responses"][str(status)]["content"]["application/json"]["schema"]


def test_every_answer_is_as_described():
    s = sample()
    doc = s.get("/openapi.json")
    run = next(r for r in s.all(RUNS, has_findings=1))
    finding = s.get("collections/sample/findings", limit=1)["items"][0]
    job = s.get("jobs")["items"][0]
    asked = {
        ("/api/v1/collections", "get"): ["collections"],
        ("/api/v1/collections/{c}", "get"): ["collections/sample"],
        ("/api/v1/collections/{c}/summary", "get"): ["collections/sample/summary"],
        ("/api/v1/collections/{c}/runs", "get"): [RUNS + "?limit=200"],
        ("/api/v1/collections/{c}/fields", "get"): ["collections/sample/fields"],
        ("/api/v1/collections/{c}/facets", "get"): ["collections/sample/facets?fields=model,success,kind&has_findings=1", "collections/sample/facets"],
        ("/api/v1/collections/{c}/stats", "get"): ["collections/sample/stats?by=model", "collections/sample/stats?by=task&model=nobody"],
        ("/api/v1/collections/{c}/tasks", "get"): ["collections/sample/tasks?limit=1000"],
        ("/api/v1/collections/{c}/tasks/{task}", "get"): ["collections/sample/tasks/" + urllib.parse.quote(t["task_id"], safe="") for t in s.all("collections/sample/tasks")],
        ("/api/v1/collections/{c}/findings", "get"): ["collections/sample/findings?limit=500"],
        ("/api/v1/collections/{c}/incomplete", "get"): ["collections/sample/incomplete"],
        ("/api/v1/collections/{c}/compare", "get"): ["collections/sample/compare?by=success&a=true&b=false", "collections/sample/compare?by=model&a=nobody"],
        ("/api/v1/collections/{c}/contrast", "get"): ["collections/sample/contrast?by=success&a=true&b=false"],
        ("/api/v1/runs/{id}", "get"): [f"runs/{run['id']}"],
        ("/api/v1/runs/{id}/messages", "get"): [f"runs/{run['id']}/messages?limit=500"],
        ("/api/v1/findings/{id}", "get"): [f"findings/{finding['id']}"],
        ("/api/v1/detectors", "get"): ["detectors"],
        ("/api/v1/exceptions", "get"): ["exceptions"],
        ("/api/v1/rules", "get"): ["rules"],
        ("/api/v1/rules/schema", "get"): ["rules/schema"],
        ("/api/v1/rubrics", "get"): ["rubrics"],
        ("/api/v1/models", "get"): ["models"],
        ("/api/v1/judgments", "get"): ["judgments", "judgments?collection=sample"],
        ("/api/v1/judges", "get"): ["judges?collection=sample"],
        ("/api/v1/search", "get"): ["search?q=error", "search?q=no_such_words_anywhere_at_all"],
        ("/api/v1/search/facets", "get"): ["search/facets?q=error", "search/facets?q=no_such_words_anywhere_at_all"],
        ("/api/v1/sql/schema", "get"): ["sql/schema"],
        ("/api/v1/queries", "get"): ["queries"],
        ("/api/v1/docs", "get"): ["docs", "docs?q=retry-after", "docs?q=no_such_words_anywhere_at_all"],
        ("/api/v1/docs/{name}", "get"): ["docs/start", "docs/rest"],
        ("/api/v1/webhooks", "get"): ["webhooks"],
        ("/api/v1/jobs", "get"): ["jobs"],
        ("/api/v1/jobs/{id}", "get"): [f"jobs/{job['id']}"],
        ("/api/public/health", "get"): ["/api/public/health"],
        ("/api/public/projects", "get"): ["/api/public/projects"],
        ("/api/v1/session", "get"): ["session"],
        ("/api/v1/tokens", "get"): ["tokens"],
        ("/api/v1/audit", "get"): ["audit"],
        ("/healthz", "get"): ["/healthz"],
        ("/readyz", "get"): ["/readyz"],
        ("/openapi.json", "get"): ["/openapi.json"],
    }
    for (path, method), targets in asked.items():
        for target in targets:
            check(s.get(target), described(doc, path, method, 200), doc, target)
    check(s.send("POST", "sql", {"query": "SELECT 1 AS one, NULL AS none"}), described(doc, "/api/v1/sql", "post", 200), doc)
    told = {(p, m) for p, ms in doc["paths"].items() for m in ms if m == "get" and not p.startswith(("/rest/", "/api/v1/labels", "/api/v1/agreement"))} # those: test_docent, test_labels
    left = told - set(asked)
    assert left <= {("/api/v1/collections/{c}/map", "get"), ("/api/v1/rubrics/{id}", "get"), ("/api/v1/rubrics/{id}/versions", "get"), ("/api/v1/judgments/{id}", "get"), ("/api/v1/uploads/{id}", "get"), ("/api/v1/collections/{c}/files/{hash}", "get"), ("/api/v1/collections/{c}/export", "get"), ("/api/v1/blobs/{sha256}", "get"), ("/metrics", "get"), ("/api/v1/system", "get"), ("/api/v1/webhooks/{id}/deliveries", "get"), ("/api/v1/rules/{id}/versions", "get"), ("/api/v1/runs/{a}/compare/{b}", "get")}, left


def test_every_described_call_exists_and_refuses_unknown_parameters():
    s = sample()
    doc = s.get("/openapi.json")
    ids = set()
    for path, methods in doc["paths"].items():
        target = path.replace("{c}", "no-such").replace("{id}", "00000000-0000-4000-8000-000000000000").replace("{sha256}", "0" * 64)
        for method, operation in methods.items():
            ids.add(operation["operationId"])
            a = s.ask(method.upper(), target + "?nonsense=1")
            assert a.status == 400 and "nonsense" in a.json()["message" if path.endswith(("/v1/traces", "/v1/logs")) else "detail"], f"{method} {path}: {a.status} {a.body[:200]!r}"
            a = s.ask(method.upper(), target)
            assert a.status < 500 and a.status != 405, f"{method} {path}: {a.status} {a.body[:200]!r}"
            needs = any(p["in"] == "query" and p.get("required") for p in operation.get("parameters", []))
            if "no-such" in target and method != "post" and not needs and not target.endswith(("/exists", "/collection_details", "/agent_run")): # these say so, or need to know more
                a.problem(404) if "requestBody" not in operation else None
    assert len(ids) == sum(map(len, doc["paths"].values()))


# ---- collections ----------------------------------------------------------------------------------------------------------------


def test_collections_come_and_go():
    with Server() as s:
        assert s.get("collections") == {"items": [], "next": None, "total": 0}
        c = s.send("POST", "collections", {"name": "a/b ü", "description": "d", "metadata": {"k": [1, 0.5]}}, 201)
        assert (c["name"], c["description"], c["metadata"], c["runs"]) == ("a/b ü", "d", {"k": [1, 0.5]}, 0)
        s.ask("POST", "collections", {"name": "a/b ü"}).problem(409)
        s.ask("POST", "collections", {"description": "d"}).problem(400, "name")
        s.ask("POST", "collections", {"name": ""}).problem(400, "name")
        by_name = "collections/" + urllib.parse.quote("a/b ü", safe="")
        assert s.get(by_name) == s.get("collections/" + c["id"]) == c
        changed = s.send("PATCH", by_name, {"name": "new", "metadata": {}})
        assert (changed["id"], changed["name"], changed["description"], changed["metadata"]) == (c["id"], "new", "d", {})
        s.get(by_name, status=404)
        assert s.send("DELETE", "collections/new", status=204) is None
        s.get("collections/new", status=404)
        assert s.get("collections")["items"] == []


def test_deleting_a_collection_or_a_run_leaves_nothing_of_it():
    with Server() as s:
        s.collection()
        s.upload(jsonl([chat("1", "needle one"), chat("2", "needle two")]))
        runs = s.get("collections/c/runs")["items"]
        s.send("DELETE", f"runs/{runs[0]['id']}", status=204)
        s.get(f"runs/{runs[0]['id']}", status=404)
        s.ask("DELETE", f"runs/{runs[0]['id']}").problem(404)
        assert [r["id"] for r in s.get("collections/c/runs")["items"]] == [runs[1]["id"]]
        assert len(s.get("search", q="needle")["items"]) == 1
        s.send("DELETE", "collections/c", status=204)
        assert s.get("search", q="needle")["items"] == []
        assert s.send("POST", "sql", {"query": "SELECT count(*) FROM messages"})["rows"] == [[0]]


# ---- lists ----------------------------------------------------------------------------------------------------------------------


def test_pages_make_the_whole_list():
    s = sample()
    whole = s.get(RUNS, limit=1000, count=1)
    assert whole["total"] == len(whole["items"]) > 50 and whole["next"] is None
    for limit in (1, 7, 50):
        assert [r["id"] for r in s.all(RUNS, limit=limit)] == [r["id"] for r in whole["items"]], limit
    for key in ("name", "-started_at", "model", "success", "-messages", "-findings", "task,-attempt"):
        paged = [r["id"] for r in s.all(RUNS, limit=13, sort=key)]
        assert sorted(paged) == sorted(r["id"] for r in whole["items"]), key
        assert paged == [r["id"] for r in s.get(RUNS, limit=1000, sort=key)["items"]], key
    messages = [r["messages"] for r in s.all(RUNS, sort="-messages")]
    assert messages == sorted(messages, reverse=True)
    for what in ("tasks", "findings"):
        whole = s.get(f"collections/sample/{what}", limit=1000)["items"]
        assert s.all(f"collections/sample/{what}", limit=5) == whole and whole, what


def test_filters_keep_what_fits():
    s = sample()
    whole = s.all(RUNS)
    model, task = whole[0]["model"], whole[0]["task_id"]
    cases = {
        ("model", model): lambda r: r["model"] == model,
        ("task", task): lambda r: r["task_id"] == task,
        ("success", "true"): lambda r: r["success"] is True,
        ("success", "false"): lambda r: r["success"] is False,
        ("success", "true,false"): lambda r: r["success"] is not None,
        ("has_findings", "1"): lambda r: sum(r["findings"].values()) > 0,
        ("has_findings", "false"): lambda r: sum(r["findings"].values()) == 0,
        ("kind", "broken_task"): lambda r: r["findings"]["broken_task"] > 0,
        ("format", whole[0]["source"]["format"]): lambda r: r["source"]["format"] == whole[0]["source"]["format"],
    }
    for (key, value), fits in cases.items():
        got = s.all(RUNS, **{key: value})
        assert sorted(r["id"] for r in got) == sorted(r["id"] for r in whole if fits(r)), f"{key}={value}: {len(got)} of {sum(map(fits, whole))}"
    assert s.get(RUNS, model="no-such")["items"] == []
    for path in (RUNS, "collections/sample/findings", "collections/sample/tasks"):
        for key, value in (("range.score", "1.."), ("range.score.no-such", "1.."), ("score.no-such", "1"), ("range.meta.no-such", "1..")):
            a = s.ask("GET", path + f"?{key}={value}")
            assert a.status == 400 and re.search("no run here has a|there are", a.json()["detail"]), f"{path} {key}: {a.status} {a.body[:200]!r}"
    findings = s.all("collections/sample/findings")
    for key in ("kind", "behavior", "detector", "severity", "scope"):
        value = findings[0][key]
        got = s.all("collections/sample/findings", **{key: value})
        assert sorted(f["id"] for f in got) == sorted(f["id"] for f in findings if f[key] == value), key


def test_runs_are_counted_sorted_and_exported_by_any_field():
    with Server() as s:
        s.collection()
        said = [{"id": "main", "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "done"}]}]
        made = [{"id": str(i), "transcripts": said, "model": ("north", "south")[i % 2], "cost_usd": i / 4, "scores": [{"name": "reward", "value": i % 3}],
                 "metadata": {"seed": i}} for i in range(6)]
        s.upload(jsonl(made))
        runs = "collections/c/runs"
        names = lambda **q: [r["external_id"] for r in s.get(runs, **q)["items"]]
        assert names(sort="-score.reward,meta.seed") == ["2", "5", "1", "4", "0", "3"]
        assert names(sort="-meta.seed", offset=2, limit=2) == ["3", "2"]
        assert names(sort="meta.seed", **{"range.cost": "0.5..1", "score.reward": "0,2"}) == ["2", "3"]
        s.ask("GET", runs + "?range.cost=x").problem(400)
        s.ask("GET", runs + "?sort=nothing").problem(400)
        facet = s.get("collections/c/facets", fields="model", model="north", **{"range.meta.seed": "..3"})
        assert facet["total"] == 2 and [(v["value"], v["runs"]) for v in facet["facets"][0]["values"]] == [("north", 2), ("south", 2)], facet
        stats = s.get("collections/c/stats", by="model")["items"]
        assert [(g["value"], g["cost_usd"]["sum"], g["tokens"]) for g in stats] == [("north", 1.5, None), ("south", 2.25, None)], stats
        assert {f["field"]: f["type"] for f in s.get("collections/c/fields")["items"]}["meta.seed"] == "number"
        ids = {r["external_id"]: r["id"] for r in s.get(runs)["items"]}
        lines = s.ask("POST", "collections/c/export", json.dumps({"ids": [ids["1"], ids["4"]], "filter": {"model": "south"}}).encode()).body.splitlines()
        assert [json.loads(l)["external_id"] for l in lines if b"external_id" in l] == ["1"], lines
        lines = s.ask("GET", "collections/c/export?as=csv&range.cost=1..").body.splitlines()
        assert len(lines) == 1 + 2, lines
        some = s.ask("GET", "collections/c/export?model=north").body
        s.collection("back")
        s.upload(some, collection="back")
        assert sorted(r["external_id"] for r in s.get("collections/back/runs")["items"]) == ["0", "2", "4"]


def test_metadata_can_be_asked_for():
    with Server() as s:
        s.collection()
        s.upload(jsonl([chat("1", metadata={"seed": 1, "env": "a"}), chat("2", metadata={"seed": 2, "env": "a"})]))
        names = lambda **q: sorted(r["external_id"] for r in s.all("collections/c/runs", **q))
        assert names(**{"meta.env": "a"}) == ["1", "2"]
        assert names(**{"meta.env": "a", "meta.seed": "2"}) == ["2"]
        assert names(**{"meta.nope": "a"}) == []


# ---- runs and messages ----------------------------------------------------------------------------------------------------------


def part_of(message, part):
    if part in ("text", "reasoning", "error"):
        return message[part]
    call, field = re.fullmatch(r"call:(\d+)\.(name|arguments)", part).groups()
    return message["tool_calls"][int(call)][field]


def test_evidence_is_where_it_says():
    s = sample()
    quotes = 0
    for run in s.all(RUNS, has_findings=1)[:40]:
        detail = s.get(f"runs/{run['id']}")
        for t in detail["transcripts"]:
            page = s.get(f"runs/{run['id']}/messages", transcript=t["position"], limit=500)
            assert page["total"] == t["messages"] == len(page["items"]) and page["next"] is None
            assert [m["index"] for m in page["items"]] == list(range(t["messages"]))
            shown = {(e["finding"], e["message"], e["part"], e["start"], e["end"]) for e in page["evidence"]}
            for finding in detail["all_findings"]:
                for e in finding["evidence"]:
                    if e["run"] != run["id"] or e["position"] != t["position"]:
                        continue
                    said = part_of(page["items"][e["message"]], e["part"]).encode()[e["start"]:e["end"]]
                    assert said == e["quote"].encode(), f"{said[:80]!r} is not {e['quote'][:80]!r}"
                    assert (finding["id"], e["message"], e["part"], e["start"], e["end"]) in shown
                    assert e["transcript"] == t["id"]
                    quotes += 1
        for finding in detail["all_findings"]:
            for e in finding["evidence"]:
                if e["message"] is None and e["part"].startswith("run."):
                    assert detail[e["part"][4:]].encode()[e["start"]:e["end"]] == e["quote"].encode()
    assert quotes > 20


def test_marks_say_when_each_message_was_said():
    with Server() as s:
        s.collection()
        say = lambda role, at=None: {"role": role, "content": "words", **({"timestamp": at} if at else {})}
        s.upload(json.dumps({"id": "timed", "transcripts": [
            {"id": "a", "messages": [say("user", "2026-01-02T03:04:05.250Z"), say("assistant"), say("user", "2026-01-02T03:04:04Z")]},
            {"id": "b", "parent": "a", "messages": [say("user")]}]}) + "\n")
        [run] = s.all("collections/c/runs")
        first, second = s.get(f"runs/{run['id']}")["marks"]
        assert first["start"].startswith("2026-01-02T03:04:04") and first["at"] == [1250, None, 0], first
        assert second["start"] is None and second["at"] is None, second


def test_messages_come_by_range():
    s = sample()
    run = max(s.all(RUNS), key=lambda r: r["messages"])
    whole = s.get(f"runs/{run['id']}/messages", limit=500)
    n = whole["total"]
    assert n > 5
    got, at = [], 0
    while at is not None:
        page = s.get(f"runs/{run['id']}/messages", **{"from": at, "limit": 3})
        assert page["from"] == at and page["total"] == n
        assert all(at <= e["message"] < at + len(page["items"]) for e in page["evidence"])
        got += page["items"]
        at = page["next"]
    assert got == whole["items"]
    assert s.get(f"runs/{run['id']}/messages", **{"from": n + 5})["items"] == []
    marks = s.get(f"runs/{run['id']}")["marks"][0]["marks"]
    roles = ["system", "user", "assistant", "tool"]
    assert [[roles.index(m["role"]), len((m["text"] or "").encode()), len(m["tool_calls"])] for m in got] == [m[:3] for m in marks]
    s.get(f"runs/{run['id']}/messages?transcript=99", status=404)
    s.get("runs/00000000-0000-4000-8000-000000000000/messages", status=404)


def test_siblings_are_the_other_runs_of_the_task():
    s = sample()
    run = s.get(RUNS, limit=1)["items"][0]
    siblings = {r["id"] for r in s.get(f"runs/{run['id']}")["siblings"]}
    assert siblings == {r["id"] for r in s.all(RUNS, task=run["task_id"])} and len(siblings) > 1


def test_large_messages_come_in_pieces():
    with Server() as s:
        s.collection()
        s.upload(jsonl([{"id": "big", "messages": [{"role": "user", "content": "x" * 1500000 + str(i)} for i in range(20)]}]))
        run = s.get("collections/c/runs")["items"][0]
        got, at, pages = [], 0, 0
        while at is not None:
            a = s.ask("GET", f"runs/{run['id']}/messages?from={at}&limit=500")
            page = a.json()
            got += page["items"]
            at, pages = page["next"], pages + 1
        assert [m["text"][-2:].strip("x") for m in got] == [str(i) for i in range(20)]
        assert pages > 1


# ---- reviews and tags -----------------------------------------------------------------------------------------------------------


def test_reviews_stay():
    with Server() as s:
        job = s.send("POST", "sample", {}, 202)
        assert s.get(f"jobs/{job['id']}", wait=60)["state"] == "done"
        findings = s.all("collections/sample/findings")
        first = findings[0]
        second = next(f for f in findings if f["detector"] != first["detector"])
        reviewed = s.send("PATCH", f"findings/{first['id']}", {"status": "dismissed", "note": "probing", "reviewer": "me"})
        assert (reviewed["status"], reviewed["note"], reviewed["reviewer"]) == ("dismissed", "probing", "me")
        assert s.send("PATCH", f"findings/{first['id']}", {"note": "again"})["status"] == "dismissed"
        assert s.get(f"findings/{first['id']}") == {**reviewed, "note": "again"}
        s.ask("PATCH", f"findings/{first['id']}", {"status": "maybe"}).problem(400, "status")
        s.ask("PATCH", f"findings/{first['id']}", {}).problem(400)
        s.ask("PATCH", "findings/00000000-0000-4000-8000-000000000000", {"status": "open"}).problem(404)

        assert s.send("POST", "findings/review", {"ids": [second["id"]], "status": "confirmed"}) == {"changed": 1}
        n = s.get("collections/sample/findings", detector=second["detector"], limit=1000, count=1)["total"]
        assert s.send("POST", "findings/review", {"collection": "sample", "filter": {"detector": second["detector"]}, "status": "dismissed"})["changed"] == n
        assert {f["status"] for f in s.all("collections/sample/findings", detector=second["detector"])} == {"dismissed"}
        s.ask("POST", "findings/review", {"status": "open"}).problem(400, "ids")
        s.ask("POST", "findings/review", {"status": "open", "collection": "sample"}).problem(400, "filter")
        s.ask("POST", "findings/review", {"status": "open", "ids": [], "collection": "sample", "filter": {}}).problem(400)

        job = s.send("POST", "collections/sample/scans", {}, 202)
        assert s.get(f"jobs/{job['id']}", wait=60)["state"] == "done"
        assert s.get(f"findings/{first['id']}")["status"] == "dismissed"


def test_tags():
    with Server() as s:
        s.collection()
        s.upload(jsonl([chat("1", model="m"), chat("2", model="m"), chat("3", model="n")]))
        ids = [r["id"] for r in s.get("collections/c/runs")["items"]]
        assert s.send("POST", "runs/tags", {"tag": "t", "ids": ids[:1]}) == {"changed": 1}
        assert s.send("POST", "runs/tags", {"tag": "t", "ids": ids[:1]}) == {"changed": 0}
        assert s.send("POST", "runs/tags", {"tag": "u", "collection": "c", "filter": {"model": "m"}}) == {"changed": 2}
        assert len(s.all("collections/c/runs", tag="u")) == 2
        assert s.get(f"runs/{ids[0]}")["tags"][0] == "t"

        def counted():  # asked twice: the second answer is the one that was kept
            told = [s.get("collections/c/summary") for _ in range(2)]
            assert told[0] == told[1]
            tags = next(f for f in told[0]["facets"] if f["field"] == "tag")
            return {v["value"]: v["runs"] for v in tags["values"]}

        assert counted() == {"t": 1, "u": 2}
        assert s.send("POST", "runs/tags", {"tag": "t", "remove": True, "ids": ids}) == {"changed": 1}
        assert counted() == {"u": 2}
        assert s.all("collections/c/runs", tag="t") == []
        s.ask("POST", "runs/tags", {"ids": ids}).problem(400, "tag")


def test_deleting_all_that_a_filter_names():
    with Server() as s:
        s.collection()
        s.collection("d")
        s.upload(jsonl([chat(str(i), model="m" if i < 250 else "n") for i in range(300)]))
        s.upload(jsonl([chat("other", model="m")]), collection="d")
        wish = {"collection": "c", "filter": {"model": "m"}}
        assert s.send("POST", "runs/delete", {**wish, "dry_run": True}) == {"deleted": 250} and s.get("collections/c")["runs"] == 300
        assert s.send("POST", "runs/delete", wish) == {"deleted": 250}
        left = s.all("collections/c/runs")
        assert len(left) == 50 and {r["model"] for r in left} == {"n"} and s.get("collections/d")["runs"] == 1
        ids = [r["id"] for r in left[:2]]
        assert s.send("POST", "runs/delete", {"ids": ids}) == {"deleted": 2} and s.send("POST", "runs/delete", {"ids": ids}) == {"deleted": 0}
        assert s.get("collections/c")["runs"] == 48
        s.ask("POST", "runs/delete", {}).problem(400, "ids")
        s.ask("POST", "runs/delete", {"collection": "c"}).problem(400, "filter")


# ---- search, SQL ----------------------------------------------------------------------------------------------------------------


def test_search_shows_the_words():
    with Server() as s:
        s.collection("one")
        s.collection("two")
        s.upload(jsonl([chat("1", "first line\nthe Näedle in línes\nlast")]), collection="one")
        s.upload(jsonl([chat("2", "needle"), chat("3", "nothing")]), collection="two")
        hit, = s.get("search", q="näedle")["items"]
        assert hit["external_id"] == "1" and hit["part"] == "text" and hit["role"] == "user"
        assert hit["line"] == "the Näedle in línes" and hit["line_start"] == len("first line\n")
        assert "first line\nthe Näedle in línes\nlast".encode()[hit["start"]:hit["end"]].decode() == "Näedle"
        assert [h["external_id"] for h in s.get("search", q="n.{1,2}edle", regex=1, collection="two")["items"]] == ["2"]
        assert s.get("search", q="NEEDLE", case=1)["items"] == []
        assert len(s.all("search", q="done", limit=2)) == 3
        assert s.get("search", q="done", count=1)["total"] == 3
        s.ask("GET", "search?q=%28&regex=1").problem(400, "byte 1")
        s.get("search", q="x", collection="none", status=404)


def test_search_counts_by_what_can_be_chosen():
    with Server() as s:
        s.collection("one")
        s.collection("two")
        s.upload(jsonl([chat("1", "a red needle", model="a", success=True, metadata={"group": "x"}), chat("2", "needle", model="b", success=False)]), collection="one")
        s.upload(jsonl([chat("3", "the needle is red", model="a", agent="walker")]), collection="two")

        def counts(**query):
            got = s.get("search/facets", **query)
            return got["total"], {f["field"]: {v["value"]: v["hits"] for v in f["values"]} for f in got["facets"]}
        total, by = counts(q="needle")
        assert total == 3 and by["collection"] == {"one": 2, "two": 1} and by["model"] == {"a": 2, "b": 1} and by["role"] == {"user": 3}, by
        assert by["success"] == {"true": 1, "false": 1, "unknown": 1} and by["task"] == {None: 3} and by["tool"] == {}, by
        total, by = counts(q="needle", model="a")
        assert total == 2 and by["model"] == {"a": 2, "b": 1} and by["collection"] == {"one": 1, "two": 1}, by # what else there is to choose
        s.send("POST", "runs/tags", {"ids": [s.get("search", q="needle", success="true")["items"][0]["run"]], "tag": "kept"})
        assert counts(q="red needle")[0] == 2 and counts(q='"red needle"')[0] == 1
        for narrowed, external_id in (({"agent": "walker"}, "3"), ({"tag": "kept"}, "1"), ({"meta.group": "x"}, "1"), ({"success": "false"}, "2")):
            assert [h["external_id"] for h in s.get("search", q="needle", **narrowed)["items"]] == [external_id], narrowed
            assert counts(q="needle", **narrowed)[0] == 1, narrowed
        assert s.get("search/facets", q="needle")["complete"] is True
        s.ask("GET", "search/facets?q=%28&regex=1").problem(400, "byte 1")
        s.ask("GET", "search/facets?q=x&limit=3").problem(400, "limit")
        s.ask("GET", "search?q=x&role=boss").problem(400, "boss")


def test_sql_reads_and_only_reads():
    s = sample()
    got = s.send("POST", "sql", {"query": "SELECT count(*) AS n, ? AS p FROM runs", "params": ["x"]})
    assert got["columns"] == ["n", "p"] and got["rows"][0][1] == "x" and got["truncated"] is False
    assert got["rows"][0][0] == s.get(RUNS, limit=1, count=1)["total"]
    a = s.ask("POST", "sql", {"query": "SELECT 9007199254740993, -9223372036854775807, 9e999, -9e999, NULL"})
    assert a.json()["rows"] == [[9007199254740993, -9223372036854775807, "Infinity", "-Infinity", None]], a.body
    assert s.send("POST", "sql", {"query": "SELECT 1 FROM messages", "limit": 3}) == {"columns": ["1"], "rows": [[1]] * 3, "truncated": True}
    for query in ("DELETE FROM runs", "SELECT 1; SELECT 2", "PRAGMA user_version", "ATTACH 'x' AS y", "SELEC", "", "SELECT * FROM sqlite_master",
                  "INSERT INTO runs VALUES (1)", "SELECT load_extension('x')", "DROP VIEW runs"):
        a = s.ask("POST", "sql", {"query": query})
        assert a.status in (400, 403), f"{query}: {a.status} {a.body[:200]!r}"
    a = s.ask("POST", "sql", {"query": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"})
    assert a.status == 422 and a.json()["code"] == "limit", a.body[:300]


# ---- rules ----------------------------------------------------------------------------------------------------------------------

RULE = """
id: greets
title: "says {word}"
behavior: off-task
severity: low
why: A test.
unsure: All of it.
events: { hi: { on: user, text: '(?P<word>hel+o)' } }
find: { any: hi }
tests:
  hit: [ [ {user: 'well hello'} ] ]
  clean: [ [ {user: 'good day'} ] ]
"""


SLOW = "id: slow\ntitle: t\nbehavior: gibberish\nevents: { e: { on: message, text: '^(\\w+\\s?)*$' } }\nfind: e\n"


def test_what_a_detector_could_not_finish_is_listed():
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules:
        rules.write(SLOW)
        rules.flush()
        with Server("--rules", rules.name) as s:
            s.collection()
            s.upload(jsonl([chat(name, "ab " * 20000 + "!") for name in ("1", "2")] + [chat("3")]))
            rows = s.all("collections/c/incomplete", limit=1)
            assert sorted((r["external_id"], r["detector"]) for r in rows) == [("1", "slow"), ("2", "slow")], rows
            assert all("limit" in r["reason"] for r in rows), rows
            assert s.get("collections/c/summary")["incomplete"] == 2
            runs = {r["external_id"]: r["id"] for r in s.all("collections/c/runs")}
            assert s.get(f"runs/{runs['1']}")["incomplete"] == [r for r in rows if r["external_id"] == "1"]
            assert s.get(f"runs/{runs['3']}")["incomplete"] == []
            assert s.get("collections/c/incomplete", run=runs["2"])["total"] == 1
            s.ask("GET", "collections/c/incomplete?after=nonsense").problem(400)
            s.ask("GET", "collections/c/incomplete?run=nonsense").problem(404)
            tried = s.send("POST", "rules/test", {"rules": SLOW, "collection": "c"})
            assert sorted(r["external_id"] for r in tried["incomplete"]) == ["1", "2"], tried
            check(tried, described(s.get("/openapi.json"), "/api/v1/rules/test", "post", 200), s.get("/openapi.json"))


def test_rules_can_be_tried_without_storing():
    with Server() as s:
        s.collection()
        s.upload(jsonl([chat("1", "oh hello there"), chat("2", "good day")]))
        before = s.all("collections/c/findings")
        got = s.send("POST", "rules/test", {"rules": RULE, "collection": "c"})
        assert got["problems"] == [] and got["tests"]["run"] == 2 and got["tests"]["failed"] == 0, got
        assert (got["runs"], got["flagged"], got["complete"]) == (2, 1, True)
        finding, = got["findings"]
        assert finding["title"] == "says hello" and finding["run"]["external_id"] == "1" and finding["evidence"][0]["quote"] == "hello"
        assert [r["id"] for r in got["rules"]] == ["greets"]
        assert s.all("collections/c/findings") == before
        bad = s.send("POST", "rules/test", {"rules": "id: x\nfind: {nonsense: 1}\n"})
        assert bad["problems"] and bad["problems"][0]["line"] >= 1 and bad["rules"] == [], bad
        s.ask("POST", "rules/test", {"rules": RULE, "collection": "none"}).problem(404)


def test_detectors_explain_themselves():
    s = sample()
    items = s.get("detectors")["items"]
    assert len(items) > 20 and len({d["id"] for d in items}) == len(items)
    assert all(d["why"] and d["behavior"] and ("find:" in d["text"] or "code:" in d["text"]) for d in items)
    seen = {f["detector"] for f in s.all("collections/sample/findings")}
    assert seen <= {d["id"] for d in items}
    s.ask("POST", "collections/sample/scans", {"only": ["no-such-detector"]}).problem(400, "no-such-detector")


# ---- export, blobs, metrics -----------------------------------------------------------------------------------------------------


def test_an_export_comes_back_as_it_was():
    s = sample()
    finding = s.get("collections/sample/findings", limit=1)["items"][0]
    s.send("PATCH", f"findings/{finding['id']}", {"status": "confirmed", "note": "ü\n\"", "reviewer": "me"})
    first = s.ask("GET", "collections/sample/export")
    assert first.headers["content-disposition"] == 'attachment; filename="sample.jsonl"', first.headers
    lines = [json.loads(line) for line in first.body.splitlines()]
    assert lines[0]["telltale"] == 1 and lines[0]["collection"]["name"] == "sample"
    runs = [x for x in lines if "transcripts" in x]
    assert len(runs) == s.get(RUNS, limit=1, count=1)["total"]
    assert {f["id"] for r in runs for f in r["findings"]} | {x["finding"]["id"] for x in lines if "finding" in x} == {f["id"] for f in s.all("collections/sample/findings")}
    with Server() as other:
        other.send("POST", "collections", {k: v for k, v in lines[0]["collection"].items() if k in ("name", "description") and v}, 201)
        done = other.upload(first.body, "sample.jsonl", "sample", wait=120)
        assert done["state"] == "done" and done["result"]["runs"]["rejected"] == 0, done
        second = other.ask("GET", "collections/sample/export").body
        # The collection had its id and date before the upload; all else is byte for byte the same.
        assert second.split(b"\n", 1)[1] == first.body.split(b"\n", 1)[1]


def test_csv_is_safe_for_spreadsheets():
    with Server() as s:
        s.collection()
        s.upload(jsonl([chat("=1+1", name='say "hi", then\nleave', model="-m", tags=["a", "b"])]))
        a = s.ask("GET", "collections/c/export?as=csv")
        assert a.headers["content-type"].startswith("text/csv")
        row, = csv.DictReader(io.StringIO(a.body.decode(), newline=""))
        assert row["external_id"] == "'=1+1" and row["model"] == "'-m" and row["name"] == 'say "hi", then\nleave' and row["messages"] == "2", row


def test_blobs_are_attachments():
    import base64
    import hashlib
    png = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
    url = "data:image/png;base64," + base64.b64encode(png).decode()
    with Server() as s:
        s.collection()
        s.upload(jsonl([{"id": "1", "messages": [{"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]}]}]))
        run = s.get("collections/c/runs")["items"][0]
        blob, = s.get(f"runs/{run['id']}/messages")["items"][0]["blobs"]
        assert blob["sha256"] == hashlib.sha256(png).hexdigest() and blob["size"] == len(png)
        a = s.ask("GET", f"blobs/{blob['sha256']}")
        assert a.body == png and a.headers["content-type"] == "image/png" and a.headers["content-disposition"] == "attachment"
        assert a.headers["x-content-type-options"] == "nosniff" and "sandbox" in a.headers["content-security-policy"]
        s.ask("GET", "blobs/" + "0" * 64).problem(404)
        s.ask("GET", "blobs/../runs").problem(404)


def test_metrics_count():
    with Server() as s:
        s.collection()
        s.upload(jsonl([chat("1")]))
        s.ask("GET", "/nothing")
        s.get("collections")
        text = s.ask("GET", "/metrics").body.decode()
        assert 'telltale_http_requests_total{method="GET",route="/api/v1/collections",status="200"} 1' in text, text
        assert 'telltale_http_requests_total{method="",route="",status="404"} 1' in text
        assert 'telltale_jobs_ended_total{kind="import",state="done"} 1' in text and "telltale_spool_bytes 0" in text
        names = set()
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                names.add(line.split()[2])
            elif not line.startswith("#"):
                assert re.fullmatch(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+]+', line), line
                assert re.sub(r"_(bucket|sum|count)$", "", line.split("{")[0].split()[0]) in names or line.split("{")[0].split()[0] in names, line
        for labels in ('method="GET",route="/api/v1/collections"', 'kind="import"'):
            buckets = [int(line.split()[-1]) for line in text.splitlines() if f"_bucket{{{labels}," in line]
            assert buckets == sorted(buckets) and buckets[-1] == 1 and f"_count{{{labels}}} 1\n" in text, (labels, buckets)
        linted = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True)
        assert linted.returncode == 0 and not linted.stderr + linted.stdout, linted


def test_a_value_may_hold_a_comma():
    """A list's "\\," is a comma of a value: a task's link reaches its runs and no others."""
    tasks = ["What is A, B?", "What is A", " B?", "a\\, b"]
    with Server() as s:
        s.collection()
        s.upload(jsonl(chat(f"r{i}", f"needle {i}", task_id=task, model=task, metadata={"key": task}, tags=[task]) for i, task in enumerate(tasks)))
        runs = s.get("collections/c/runs")["items"]
        assert sorted(r["task_id"] for r in runs) == sorted(tasks), runs
        for task in tasks:
            value = task.replace("\\", "\\\\").replace(",", "\\,")
            for field in ("task", "model", "meta.key"):
                found = s.get("collections/c/runs", **{field: value})["items"]
                assert [r["task_id"] for r in found] == [task], (field, value, [r["task_id"] for r in found])
            assert [h["task_id"] for h in s.get("search", q="needle", task=value)["items"]] == [task]
            facet = s.get("search/facets", q="needle", task=value)
            assert facet["total"] == 1, facet
            assert [t["task_id"] for t in s.get("collections/c/tasks", task=value)["items"]] == [task]
        both = s.get("collections/c/runs", task="What is A\\, B?, B?")["items"]
        assert {r["task_id"] for r in both} == {"What is A, B?", " B?"}, both
        assert s.get("collections/c/compare", by="model", a="What is A\\, B?", b="What is A")["a"]["runs"] == 1
