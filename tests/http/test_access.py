"""Who may do what: every route of openapi.json with no token, with every scope, and with a token for another collection; and what a token for one
collection can find out about others by names, ids, lists, filters and bodies."""
import base64
import gzip
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import time

from server import PROGRAM, ROOT, Server, chat, jsonl

SCOPES = ("ingest", "read", "review", "admin")
MAY = { # by x-telltale-scope: whose token is enough
    "none": {None, *SCOPES},
    "any": set(SCOPES),
    "ingest": {"ingest", "admin"},
    "ingest|read": set(SCOPES),
    "read": {"read", "review", "admin"},
    "review": {"review", "admin"},
    "admin": {"admin"},
}
ORIGIN = "http://127.0.0.1:{}"


def telltale(db, *args, status=0, **env):
    r = subprocess.run([PROGRAM, "--db", db, *args], capture_output=True, text=True, timeout=60, env={**os.environ, **env})
    assert r.returncode == status, f"telltale {args}: {r.returncode}: {r.stderr}"
    return r.stdout


class Closed(Server):
    """A server that asks for tokens, with one of every scope for all collections; and for a collection, b: of what is in a nothing may be seen."""

    def __init__(self, *options):
        self.tokens = {}
        super().__init__("--require-token", *options)

    def start(self):
        if not self.tokens:
            telltale(self.db, "token", "create", "the boss", "--scope", "admin")
            for scope in SCOPES:
                self.tokens[scope] = telltale(self.db, "token", "create", scope, "--scope", scope).strip()
        super().start()

    def ask(self, method, path, body=None, headers=None, timeout=60, token="admin"):
        token = self.tokens.get(token, token)
        return super().ask(method, path, body, {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}, timeout)

    def as_admin(self, method, path, body=None, status=200):
        a = self.ask(method, path, body)
        assert a.status == status, f"{method} {path}: {a.status}: {a.body[:500]!r}"
        return a.json() if a.body else None

    def bind(self, name, *collections, scopes=("admin",)):
        made = self.as_admin("POST", "tokens", {"name": name, "scopes": list(scopes), "collections": list(collections)}, 201)
        self.tokens[name] = made["token"]
        return made


IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def fill(s, name, word):
    """A collection with runs, a finding, a label, an exception, an image and a job: what there is to see of it."""
    s.as_admin("POST", "collections", {"name": name}, 201)
    lost = [{"role": "user", "content": [{"type": "text", "text": f"{word} please"},
                                         {"type": "image_url", "image_url": {"url": "data:image/png;base64," + IMAGE[:-8] + word[:4] + IMAGE[-4:]}}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "bash", "arguments": "{\"command\": \"jq\"}"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "bash: jq: command not found"}, {"role": "assistant", "content": f"{word} is missing"}]
    rows = [{"id": f"{word}-{i}", "task_id": f"{word}-task", "model": f"{word}-model", "messages": lost} for i in range(2)]
    up = s.upload(jsonl(rows), f"{word}.jsonl", name)
    runs = s.get(f"collections/{name}/runs")["items"]
    findings = s.get(f"collections/{name}/findings")["items"]
    assert findings, "the sample of a missing program is not found any more"
    label = s.as_admin("POST", "labels", {"run": runs[0]["id"], "set": f"{word}-set", "value": "yes", "who": word})["labels"][0]
    exception = s.as_admin("POST", "exceptions", {"detector": "no-such", "collection": name, "note": word}, 201)
    blobs = [b["sha256"] for m in s.get(f"runs/{runs[0]['id']}/messages")["items"] for b in m["blobs"]]
    return {"c": name, "id": runs[0]["collection"], "runs": [r["id"] for r in runs], "finding": findings[0]["id"], "label": label["id"], "job": up["id"],
            "exception": exception["id"], "blob": (blobs + ["0" * 64])[0]}


_two = []


def two():
    if not _two:
        s = Closed()
        _two.extend((s, fill(s, "aaa", "alphaword"), fill(s, "bbb", "betaword")))
        s.bind("only b", "bbb")
    return _two


def place(path, of, thing):
    """The path, with ids of that thing in the places that its x-telltale-of speaks of."""
    ids = {"collection": thing["c"], "run": thing["runs"][0], "finding": thing["finding"], "job": thing["job"], "judgment": thing["finding"],
           "label": thing["label"], "exception": thing["exception"], "blob": thing["blob"]}
    path = path.replace("{c}", thing["c"]).replace("{a}", thing["runs"][0]).replace("{b}", thing["runs"][1])
    return re.sub(r"\{\w+\}", ids[of] if of in ids and of != "collection" else "x", path, count=0)


def body_of(operation):
    """A body that is at least of the right kind: what is refused for its scope must be refused before anybody looks at it."""
    content = operation.get("requestBody", {}).get("content", {})
    return (b"{}", {"Content-Type": next(iter(content))}) if content else (None, {})


def routes(doc):
    for path, methods in doc["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


# ---- the matrix ------------------------------------------------------------------------------------------------------------------


def test_every_route_needs_what_it_says():
    s, a, _ = two()
    doc = json.loads(s.ask("GET", "/openapi.json").body)
    seen = set()
    for method, path, operation in routes(doc):
        need, of = operation["x-telltale-scope"], operation["x-telltale-of"]
        target, (body, headers) = place(path, of, a).replace("aaa", "no-such-collection"), body_of(operation)
        seen.add(need)
        for scope in (None, *SCOPES):
            if need == "none" or (method == "POST" and path == "/api/v1/reload"):
                continue
            if scope in MAY[need] and (method != "GET" or "wait" in path): # what may be done is done elsewhere, and would change what is asked here
                continue
            r = s.ask(method, target, body, headers, token=scope)
            where = f"{method} {target} with {scope}: {r.status} {r.body[:200]!r}"
            if scope is None:
                assert r.status == 401 and r.headers["www-authenticate"] == "Bearer", where
            elif scope in MAY[need]:
                assert r.status not in (401, 403), where
            else:
                assert r.status == 403 and need.split("|")[0].encode() in r.body, where
    assert seen == set(MAY), seen


def test_wrong_tokens_are_no_tokens():
    s, _, _ = two()
    good = s.tokens["read"]
    for token in ("x", "", "tt_", good[:-1], good + "A", good[:-1] + ("A" if good[-1] != "A" else "B"), good.upper(), "tt_" + "a" * 12 + "_" + "A" * 43, "any"):
        r = s.ask("GET", "collections", token=None, headers={"Authorization": f"Bearer {token}"})
        assert r.status in (401, 429), (token, r.status)
    assert s.ask("GET", "collections", token="read").status == 200, "whoever has a good one is let in, whatever else comes from there"
    assert s.ask("GET", "collections?token=" + good, token=None).status in (400, 401)


# ---- a token for one collection ----------------------------------------------------------------------------------------------------


def test_what_lies_in_another_collection_is_not_there():
    s, a, b = two()
    doc = json.loads(s.ask("GET", "/openapi.json").body)
    asked = 0
    for method, path, operation in routes(doc):
        of = operation["x-telltale-of"]
        if of in ("nothing", "session", "shared", "own"):
            continue
        target, (body, headers) = place(path, of, a), body_of(operation)
        r = s.ask(method, target, body, headers, token="only b")
        where = f"{method} {target} ({of}): {r.status} {r.body[:300]!r}"
        if of == "all":
            assert r.status == 403 and b"some collections only" in r.body, where
            continue
        asked += 1
        if path.endswith(("/exists", "/collection_details")):
            assert r.body in (b"false", b"null"), where
            continue
        assert r.status in (400, 404), where
        assert b"alphaword" not in r.body and a["id"].encode() not in r.body, where
        if r.status == 404 and method in ("GET", "DELETE") and not path.startswith("/rest/"): # in the words for what is not there
            nobody = {**a, "c": "xxx", "runs": ["0" * 8 + r_[8:] for r_ in a["runs"]], "finding": "0" * 8 + a["finding"][8:], "job": "0" * 8 + a["job"][8:],
                      "exception": "0" * 8 + a["exception"][8:], "label": "999999", "blob": "1" * 64}
            missing = s.ask(method, place(path, of, nobody), body, headers, token="only b")
            same = lambda answer, t: re.sub(r'"instance":"[^"]*"', "", answer.body.decode()).replace(t["runs"][0], "R").replace(t["runs"][1], "R").replace(t["finding"], "F").replace(t["job"], "J").replace(t["exception"], "X").replace(t["blob"], "B").replace(f'\\"{t["label"]}\\"', "L").replace(f'\\"{t["c"]}\\"', "C")
            assert same(r, a) == same(missing, nobody), (where, missing.body)
    assert asked > 40, asked
    assert s.ask("GET", f"runs/{a['runs'][0]}").status == 200, "it is there for others still"
    assert s.ask("GET", f"collections/bbb", token="only b").status == 200
    assert s.ask("GET", f"runs/{b['runs'][0]}/compare/{a['runs'][0]}", token="only b").status == 404
    assert s.ask("GET", f"runs/{b['runs'][0]}/compare/{b['runs'][1]}", token="only b").status == 200
    assert s.ask("GET", f"jobs/{b['job']}", token="only b").status == 200
    assert s.ask("GET", f"findings/{b['finding']}", token="only b").status == 200


def test_lists_and_filters_show_only_their_own():
    s, a, b = two()
    asked = ["collections", "jobs?limit=1000", "search?q=please", "search?q=alphaword", "search?regex=1&q=.", "search?q=please&count=1", "search/facets?q=please", "labels", "labels/sets",
             f"labels?run={a['runs'][0]}", "labels/export?set=alphaword-set", "judgments", f"judgments?run={a['runs'][0]}", "judges", "agreement/raters", "exceptions",
             f"collections/bbb/runs?run={a['runs'][0]}", f"collections/bbb/findings?run={a['runs'][0]}", "collections/bbb/export", "detectors",
             f"collections/bbb/incomplete?run={a['runs'][0]}", "collections/bbb/facets?fields=model,task", "collections/bbb/compare?by=model&a=alphaword-model",
             "agreement?reference=people:alphaword-set&measured=behavior:missing-program", "search?q=please&collection=aaa", "labels?collection=aaa",
             "judgments?collection=aaa", "judges?collection=aaa", "exceptions?collection=aaa", "detectors?collection=aaa", "agreement/raters?collection=aaa",
             "labels/sets?collection=aaa", "/rest/collections", "/rest/bbb/agent_run_ids", f"/rest/bbb/agent_run?agent_run_id={a['runs'][0]}", "/rest/label/bbb/tags"]
    own = 0
    for path in asked:
        r = s.ask("GET", path, token="only b")
        text = r.body.decode().replace(json.dumps(path)[1:-1], "").replace("alphaword-model" if "by=model" in path else "\0", "").replace("alphaword-set" if "people:" in path else "\0", "")
        text = re.sub(r'"instance":"[^"]*"', "", text)
        assert r.status in (200, 404, 400), (path, r.status, r.body[:300])
        for secret in ("alphaword", a["id"], a["runs"][0], a["runs"][1], a["finding"], a["job"], a["exception"]):
            assert secret not in text or (secret in path and r.status == 404), f"{path} shows {secret}: {text[:600]}"
        own += r.status == 200 and ("betaword" in text or b["id"] in text)
    assert own >= 10, own
    assert [c["name"] for c in s.ask("GET", "collections", token="only b").json()["items"]] == ["bbb"]
    hits = s.ask("GET", "search?q=please", token="only b").json()["items"]
    assert s.ask("GET", "search?q=please&count=1", token="only b").json()["total"] == s.ask("GET", "search/facets?q=please", token="only b").json()["total"] == 2
    assert len(hits) == 2 and {h["collection"] for h in hits} <= {"bbb", b["id"]}, hits


def test_bodies_that_name_others_change_and_show_nothing():
    s, a, b = two()
    before = s.ask("GET", f"collections/aaa/export").body
    tries = [
        ("POST", "runs/tags", {"tag": "t", "ids": a["runs"]}), ("POST", "runs/tags", {"tag": "t", "collection": "aaa", "filter": {}}),
        ("POST", "runs/tags", {"tag": "t", "ids": a["runs"], "remove": True}),
        ("POST", "runs/delete", {"ids": a["runs"]}), ("POST", "runs/delete", {"collection": "aaa", "filter": {}}),
        ("POST", "runs/delete", {"collection": a["id"], "filter": {}, "dry_run": True}),
        ("POST", "findings/review", {"status": "dismissed", "ids": [a["finding"]]}), ("POST", "findings/review", {"status": "dismissed", "collection": "aaa", "filter": {}}),
        ("POST", "labels", {"run": a["runs"][0], "set": "s", "value": "v"}), ("POST", "labels", {"run": "alphaword-0", "collection": "aaa", "set": "s", "value": "v"}),
        ("POST", "labels", {"labels": [{"run": b["runs"][0], "set": "s", "value": "v"}, {"run": a["runs"][0], "set": "s", "value": "v"}]}),
        ("POST", "labels/import?collection=aaa&format=jsonl", {"run": a["runs"][0], "set": "s", "value": "v"}),
        ("POST", "labels/import?collection=bbb&format=jsonl", {"run": a["runs"][0], "set": "s", "value": "v"}),
        ("POST", "exceptions", {"detector": "missing-program"}), ("POST", "exceptions", {"detector": "missing-program", "collection": "aaa"}),
        ("POST", "exceptions/test", {"detector": "missing-program"}), ("POST", "exceptions/test", {"detector": "missing-program", "collection": "aaa"}),
        ("POST", "collections/bbb/export", {"ids": a["runs"]}), ("POST", "rules/test", {"rules": "[]", "collection": "aaa"}),
        ("POST", "judgments", {"rubric": "x", "ids": a["runs"]}), ("POST", "judgments/estimate", {"rubric": "x", "collection": "aaa", "filter": {}}),
        ("POST", "rubrics/draft", {"sentence": "x", "collection": "aaa"}), ("POST", "sql", {"query": "SELECT * FROM runs"}),
        ("PATCH", "collections/bbb", {"name": "aaa"}), ("POST", "collections", {"name": "aaa"}), ("POST", "/rest/create", {"name": "aaa"}),
        ("POST", "/v1/traces", {"resourceSpans": []}), ("DELETE", "/rest/bbb/agent_runs", {"agent_run_ids": a["runs"]}),
        ("POST", "/rest/bbb/agent_run_metadata", {"agent_run_ids": a["runs"]}), ("POST", "/rest/label/bbb/tag", {"agent_run_id": a["runs"][0], "value": "t"}),
        ("POST", "/rest/bbb/agent_runs/jobs/batch_status", {"job_ids": [a["job"]]}),
    ]
    for method, path, body in tries:
        r = s.ask(method, path, body, {"Content-Type": "application/json"}, token="only b")
        text = r.body.decode()
        where = f"{method} {path} {body}: {r.status} {text[:300]}"
        assert r.status in (200, 400, 403, 404, 409), where
        assert "alphaword-task" not in text and "alphaword please" not in text, where
        if r.status == 200:
            counts = re.findall(r'"(?:changed|deleted|findings|added|deleted_count)":(\d+)', text)
            assert all(n == "0" for n in counts), where
    named = {"collection_id": a["id"], "agent_runs": []}
    assert s.ask("POST", f"/rest/{a['id']}/agent_runs", named, token="only b").status == 404
    for header in ("aaa", a["id"]):
        span = {"traceId": "1" * 32, "spanId": "1" * 16, "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
        r = s.ask("POST", "/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}, {"Content-Type": "application/json", "X-Telltale-Collection": header}, token="only b")
        assert r.status == 404, (header, r.status, r.body)
    assert s.ask("GET", "collections/aaa/export").body == before, "something in the other collection has changed"
    assert s.ask("GET", "collections/aaa").json()["name"] == "aaa"


def test_who_only_puts_in_sees_only_that():
    s, a, _ = two()
    up = json.loads(s.ask("POST", "collections/aaa/uploads?filename=mine.jsonl&wait=20", jsonl([chat("mine")]).encode(), token="ingest").body)
    assert up["state"] == "done", up
    assert s.ask("GET", f"uploads/{up['id']}", token="ingest").status == 200
    assert s.ask("GET", f"uploads/{a['job']}", token="ingest").status == 404
    assert s.ask("GET", f"uploads/{a['job']}", token="read").status == 200
    for path in ("collections", "collections/aaa", f"jobs/{up['id']}", "jobs", "search?q=please", f"runs/{a['runs'][0]}"):
        assert s.ask("GET", path, token="ingest").status == 403, path


def exported(s, name):
    return [json.loads(line) for line in s.ask("GET", f"collections/{name}/export").body.decode().splitlines()]


def put(s, name, lines, token, query=""):
    body = "\n".join(json.dumps(line) for line in lines).encode()
    return s.ask("POST", f"collections/{name}/uploads?filename=export.jsonl&wait=20{query}", body, token=token).json()


def refused(up):
    return [e["message"] for e in up["result"]["errors"]]


def test_who_only_puts_in_says_nothing_of_runs_with_it():
    s, a, _ = two()
    lines = exported(s, "aaa")
    header, run = lines[0], next(line for line in lines if line.get("external_id") == "alphaword-1")
    labels = lambda: [(x["set"], x["who"]) for x in s.ask("GET", f"labels?run={run['id']}").json()["items"]]
    before = labels()
    label = {"set": "alphaword-set", "value": "no", "who": "the boss"}
    judgment = {"rubric": "no-such", "version": 1, "judge": "m", "judge_key": "k", "state": "answered", "answer": {"x": 1}}
    for said in ({"labels": [label]}, {"judgments": [judgment]}):
        up = put(s, "aaa", [header, {**run, **said}], "ingest")
        assert up["state"] == "done" and up["result"]["runs"]["duplicate"] == 1 and any("scope review" in m for m in refused(up)), up
    assert labels() == before, "the labels of somebody else's run changed"
    up = put(s, "aaa", [header, {**run, "labels": [label]}], "admin")
    assert up["state"] == "done" and not refused(up) and labels() == [*before, ("alphaword-set", "the boss")], (up, labels())
    mine = {**run, "id": None, "external_id": "labelled", "findings": [], "labels": [label]}
    of_mine = lambda: [(x["set"], x["who"]) for x in s.ask("GET", "labels?collection=aaa&limit=1000").json()["items"] if x.get("run") == mine["id"]]
    put(s, "aaa", [header, mine], "admin")
    mine["id"] = next(r["id"] for r in s.ask("GET", "collections/aaa/runs?limit=1000").json()["items"] if r["external_id"] == "labelled")
    for changed in ({}, {"name": "another name"}): # the same run again, and replaced: from its own file, which says no labels now
        put(s, "aaa", [header, {**mine, "id": None, "labels": [], **changed}], "ingest")
        assert of_mine() == [("alphaword-set", "the boss")], changed


def test_who_only_puts_in_replaces_nothing():
    s, _, _ = two()
    doc = json.loads(s.ask("GET", "/openapi.json").body)
    flags = [(path, p["name"]) for _, path, o in routes(doc) for p in o["parameters"] if "x-telltale-scope" in p]
    assert flags == [("/api/v1/collections/{c}/uploads", "replace")], flags
    of_kept = lambda: [(r["id"], r["messages"]) for r in s.ask("GET", "collections/aaa/runs?limit=1000").json()["items"] if r["external_id"].startswith("kept")]
    send = lambda messages, token, query="": s.ask("POST", f"collections/aaa/uploads?filename=kept.jsonl&wait=20{query}", jsonl([
        {"id": "kept", "messages": [{"role": "user", "content": f"word {i}"} for i in range(messages)]}, {"id": "kept-2", "messages": [{"role": "user", "content": "x"}]}]).encode(), token=token)
    assert send(3, "admin").json()["state"] == "done"
    before = of_kept()
    assert len(before) == 2, before
    send(1, "ingest", "&replace=1").problem(403, "replace", "review")
    assert of_kept() == before
    assert send(1, "ingest", "&replace=0").json()["result"]["runs"]["new"] == 1 and set(before) < set(of_kept()), "it is another run beside those that are there"
    s.bind("ci", "aaa", scopes=("ingest", "review"))
    assert send(2, "ci", "&replace=1").json()["result"]["runs"]["updated"] == 1
    assert sorted(m for _, m in of_kept()) == [1, 1, 2], of_kept()


def test_who_only_puts_in_makes_and_hides_no_findings():
    s, a, _ = two()
    lines = exported(s, "aaa")
    header, run = lines[0], next(line for line in lines if line.get("external_id") == "alphaword-0")
    made_up = {**run["findings"][0], "id": None, "detector": "made-up", "title": "made up", "status": "confirmed", "reviewer": "the boss"}
    for name, findings in (("brought-none", []), ("brought-one", [made_up])):
        up = put(s, "aaa", [header, {**run, "id": None, "external_id": name, "labels": [], "findings": findings}], "ingest")
        assert up["state"] == "done" and bool(findings) == any("scope review" in m for m in refused(up)), up
        id_ = next(r["id"] for r in s.ask("GET", "collections/aaa/runs?limit=1000").json()["items"] if r["external_id"] == name)
        found = [(f["detector"], f["status"]) for f in s.ask("GET", f"collections/aaa/findings?run={id_}").json()["items"]]
        assert (run["findings"][0]["detector"], "open") in found and all(detector != "made-up" and status == "open" for detector, status in found), found


def test_who_only_puts_in_changes_no_finding():
    s, a, _ = two()
    header = exported(s, "aaa")[0]
    finding = {**s.ask("GET", f"findings/{a['finding']}").json(), "id": "00000001-1111-4111-8111-111111111111", "scope": "task", "run": None, "task_id": "alphaword-task",
               "title": "brought", "status": "dismissed", "reviewer": "the boss", "note": "nothing to see"}
    look = lambda: s.ask("GET", f"findings/{finding['id']}")
    other = {**finding, "title": "other words", "evidence": [], "status": "open", "reviewer": None, "note": None}
    assert any("scope review" in m for m in refused(put(s, "aaa", [header, {"finding": finding}], "ingest"))) and look().status == 404
    assert not refused(put(s, "aaa", [header, {"finding": finding}], "admin")) and look().json()["status"] == "dismissed"
    assert any("scope review" in m for m in refused(put(s, "aaa", [header, {"finding": other}], "ingest")))
    now = look().json()
    assert [now[k] for k in ("title", "status", "reviewer", "note")] == ["brought", "dismissed", "the boss", "nothing to see"], now


def test_a_finding_of_no_run_or_task_is_refused_and_the_rest_goes_on():
    s, a, _ = two()
    lines = exported(s, "aaa")
    run = {**next(line for line in lines if line.get("external_id") == "alphaword-0"), "id": None, "external_id": "beside", "labels": [], "findings": []}
    finding = {**s.ask("GET", f"findings/{a['finding']}").json(), "id": None, "run": None}
    for scope, task, why in (("run", None, "comes with its run"), ("task", None, "names no task")):
        up = put(s, "aaa", [lines[0], {"finding": {**finding, "scope": scope, "task_id": task}}, {**run, "external_id": "beside " + scope}], "admin")
        assert up["state"] == "done" and up["result"]["runs"]["new"] == 1 and any(why in m for m in refused(up)), up


def test_reading_draws_no_map():
    s, _, _ = two()
    s.ask("POST", "collections/aaa/map", {}, token="read").problem(403, "review")
    s.bind("draws", "aaa", scopes=("review",))
    assert s.ask("POST", "collections/aaa/map", {}, token="draws").status == 202


def test_what_is_brought_reaches_no_other_collection():
    s, a, b = two()
    s.bind("into b", "bbb", scopes=("ingest", "review"))
    lines = exported(s, "aaa")
    assert any("blob" in line for line in lines) and a["blob"] != "0" * 64
    runs = [{**line, "id": None, "external_id": "by-hash", "findings": [], "labels": []} for line in lines if line.get("external_id") == "alphaword-0"]
    assert put(s, "bbb", [lines[0], *runs], "into b")["state"] == "done"
    assert s.ask("GET", f"blobs/{a['blob']}", token="into b").status == 404, "an image is given to whoever knows its hash"
    assert put(s, "bbb", [lines[0], *[line for line in lines if "blob" in line]], "into b")["state"] == "done"
    assert s.ask("GET", f"blobs/{a['blob']}", token="into b").status == 200, "whoever has the bytes may see them"
    evidence = {"run": a["runs"][0], "transcript": "0", "position": 0, "message": 0, "part": "text", "start": 0, "end": 5, "quote": "planted"}
    finding = {**s.ask("GET", f"findings/{b['finding']}").json(), "id": "00000009-1111-4111-8111-111111111111", "scope": "task", "run": None, "task_id": "t", "evidence": [evidence]}
    put(s, "bbb", [lines[0], {"finding": finding}], "into b")
    assert b"planted" not in s.ask("GET", f"runs/{a['runs'][0]}/messages").body and a["runs"][0].encode() not in s.ask("GET", f"collections/bbb/findings", token="into b").body


def test_who_names_an_image_keeps_it_for_nobody():
    """Deleted with the last run of those into whose collection it was put."""
    with Server() as s:
        pixel = b"\x89PNG and so on"
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(pixel).decode()}}
        named = {"sha256": hashlib.sha256(pixel).hexdigest(), "media_type": "image/png", "size": len(pixel)}
        say = lambda name, **user: {"id": name, "messages": [{"role": "user", "content": "see", **user}, {"role": "assistant", "content": "ok"}]}
        for name, runs in (("theirs", [say("a", content=[image]), say("b", blobs=[named])]), ("mine", [say("c", blobs=[named])])):
            s.collection(name)
            s.upload(jsonl(runs), collection=name)
        runs = {r["external_id"]: r["id"] for c in ("theirs", "mine") for r in s.all(f"collections/{c}/runs")}
        for name, there in (("a", 1), ("b", 0)): # b's is its collection's too
            s.send("DELETE", f"runs/{runs[name]}", status=204)
            with sqlite3.connect(s.db) as db:
                assert db.execute("SELECT count(*) FROM blob").fetchone() == (there,), name
            db.close()
        assert subprocess.run([PROGRAM, "--db", s.db, "check"], capture_output=True, timeout=60).returncode == 0


def test_strangers_hold_little_and_sessions_count():
    s, _, _ = two()
    for path in ("session", "/rest/login"):
        s.ask("POST", path, b'{"token": "' + b"x" * 9000 + b'"}', {"Content-Type": "application/json"}, token=None).problem(413)
    slow = s.as_admin("POST", "tokens", {"name": "slow", "scopes": ["read"], "rate": 1}, 201)["token"]
    states = [s.ask("POST", "session", {"token": slow}, token=None).status for _ in range(20)]
    assert states[0] == 200 and states[-1] == 429, states


def test_the_database_is_its_owners_and_reloading_is_logged():
    s, _, _ = two()
    for name in ("t.db", "t.db-wal", "t.db.key", "t.db.lock"):
        assert os.stat(os.path.join(s.path, name)).st_mode & 0o077 == 0, name
    assert s.ask("POST", "reload", {}).status == 200
    assert s.as_admin("GET", "audit")["items"][0]["action"] == "POST /api/v1/reload"


def test_a_key_of_one_token_is_no_key_of_another():
    s, _, _ = two()
    body, key = jsonl([chat("the-same")]).encode(), {"Idempotency-Key": "1"}
    for name in ("night", "day"):
        s.tokens[name] = s.as_admin("POST", "tokens", {"name": name, "scopes": ["ingest"]}, 201)["token"]
    ups = {}
    for name in ("night", "day", "night"):
        r = s.ask("POST", "collections/aaa/uploads?filename=same.jsonl&wait=20", body, key, token=name)
        assert r.status == 200, (name, r.status, r.body)
        ups.setdefault(name, set()).add(r.json()["id"])
    assert len(ups["night"]) == len(ups["day"]) == 1 and ups["night"] != ups["day"], ups
    run = next(r for r in s.ask("GET", "collections/aaa/runs?limit=100").json()["items"] if r["external_id"] == "the-same")
    said = json.dumps({"role": "user", "content": "ok"}).encode()
    places = [s.ask("POST", f"runs/{run['id']}/messages", said, {**key, "Content-Type": "application/json"}, token=name).json()["first_index"] for name in ("night", "day", "night")]
    assert places == [run["messages"], run["messages"] + 1, run["messages"]], places


# ---- agents --------------------------------------------------------------------------------------------------------------------------


def test_an_agent_is_shown_only_tools_that_it_may_call():
    s, _, _ = two()

    def listed(token):
        r = subprocess.run(["node", os.path.join(ROOT, "tests/mcp/scoped.mjs"), f"http://127.0.0.1:{s.port}", s.tokens[token]], capture_output=True, text=True, timeout=60)
        assert r.returncode == 0, r.stderr[-2000:]
        return json.loads(r.stdout)

    everything, reading, reviewing = listed("admin"), listed("read"), listed("review")
    assert set(reading) < set(reviewing) <= set(everything), (reading, reviewing)
    assert {"get_run", "query", "search"} <= set(reading) and not any(t["writes"] for t in reading.values()), reading
    assert {"label_run", "review_finding"} <= set(reviewing), reviewing
    assert set(everything) - set(reading) == {n for n, t in everything.items() if t["writes"]}, "a token that reads is refused just what changes something"
    s.bind("reader of bbb", "bbb", scopes=("read",))
    bound = listed("reader of bbb")
    assert {"get_run", "list_runs", "search", "query", "query_schema"} <= set(bound), bound


# ---- browsers ------------------------------------------------------------------------------------------------------------------------


def sign_in(s, token):
    r = s.ask("POST", "session", {"token": token}, token=None)
    assert r.status == 200, r.body
    cookie = r.headers["set-cookie"]
    assert cookie.startswith(f"telltale_session_{s.port}=") and all(w in cookie for w in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=")) and "Secure" not in cookie, cookie
    return cookie.split(";")[0], r.json()


def test_a_browser_signs_in_and_out():
    s, _, _ = two()
    open_ = s.ask("GET", "session", token=None).json()
    assert (open_["mode"], open_["signed_in"], open_["csrf"]) == ("closed", False, None)
    s.ask("POST", "session", {"token": "tt_nobody"}, token=None).problem(401)
    cookie, session = sign_in(s, s.tokens["admin"])
    assert session["signed_in"] and session["scopes"] == list(SCOPES) and session["collections"] is None and session["name"] == "admin"
    assert s.tokens["admin"].startswith(f"tt_{session['token']}") and open_["token"] is None
    head = {"Cookie": cookie}
    assert s.ask("GET", "session", token=None, headers=head).json()["csrf"] == session["csrf"]
    assert s.ask("GET", "collections", token=None, headers=head).status == 200
    ours = {"Origin": ORIGIN.format(s.port)}
    for extra in ({}, ours, {"X-Telltale-CSRF": session["csrf"]}, {**ours, "X-Telltale-CSRF": "x"}, {**ours, "X-Telltale-CSRF": ""},
                  {"Origin": "http://evil.example", "X-Telltale-CSRF": session["csrf"]}, {"Origin": "null", "X-Telltale-CSRF": session["csrf"]}):
        r = s.ask("PATCH", "collections/aaa", {"description": "by a stranger"}, {**head, **extra}, token=None)
        assert r.status == 403, (extra, r.status)
    assert s.ask("PATCH", "collections/aaa", {"description": ""}, {**head, **ours, "X-Telltale-CSRF": session["csrf"]}, token=None).status == 200
    assert s.ask("GET", "collections", token=None, headers={"Cookie": cookie[:-1] + "!"}).status == 401
    assert s.ask("GET", "collections", token=None, headers={"Cookie": "a=b; " + cookie + "; c=d"}).status == 200
    for extra in ({}, ours, {"X-Telltale-CSRF": session["csrf"]}, {**ours, "X-Telltale-CSRF": "x"}):
        s.ask("DELETE", "session", None, {**head, **extra}, token=None).problem(403, "X-Telltale-CSRF")
    assert s.ask("GET", "session", token=None, headers=head).json()["signed_in"]
    out = s.ask("DELETE", "session", None, {**head, **ours, "X-Telltale-CSRF": session["csrf"]}, token=None)
    assert out.status == 204 and "Max-Age=0" in out.headers["set-cookie"], out.headers
    assert s.ask("GET", "collections", token=None, headers=head).status == 401
    assert s.ask("DELETE", "session", None, head, token=None).status == 204 # nobody is signed in: the browser may forget it


def test_two_servers_on_one_host_keep_a_session_each():
    """A browser sends the cookies of a host to each of its ports."""
    s, _, _ = two()
    with Closed() as other:
        here, there = sign_in(s, s.tokens["read"])[0], sign_in(other, other.tokens["admin"])[0]
        assert here.split("=")[0] != there.split("=")[0], (here, there)
        for server, name in ((s, "read"), (other, "admin")):
            assert server.ask("GET", "session", token=None, headers={"Cookie": f"{here}; {there}"}).json()["name"] == name
        assert s.ask("GET", "collections", token=None, headers={"Cookie": there}).status == 401


def test_the_cookie_has_the_port_that_the_browser_sees():
    with Closed("--host", "telltale.example.org", "--behind-proxy", "loopback") as s:
        for host, proto, name in (("telltale.example.org:8443", "https", "__Host-telltale_session_8443"), ("telltale.example.org", "http", "telltale_session"),
                                  ("telltale.example.org", "https", "__Host-telltale_session")):
            head = {"Host": host, "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": proto}
            cookie = s.ask("POST", "session", {"token": s.tokens["read"]}, head, token=None).headers["set-cookie"].split(";")[0]
            assert cookie.split("=")[0] == name, cookie
            assert s.ask("GET", "collections", token=None, headers={**head, "Cookie": cookie}).status == 200


def test_the_good_one_of_several_cookies_counts():
    s, _, _ = two()
    cookie, session = sign_in(s, s.tokens["read"])
    name, text = cookie.split("=")
    status = lambda *texts: s.ask("GET", "collections", token=None, headers={"Cookie": "; ".join(f"{name}={t}" for t in texts)}).status
    assert (status("bad", text), status(text, "bad"), status("", "x" * len(text), text)) == (200, 200, 200)
    assert (status(*["bad"] * 7, text), status(*["bad"] * 8, text)) == (200, 401)


def test_a_token_that_ends_ends_its_sessions():
    s, _, _ = two()
    made = s.as_admin("POST", "tokens", {"name": "brief", "scopes": ["read"]}, 201)
    cookie, _ = sign_in(s, made["token"])
    assert s.ask("GET", "collections", token=None, headers={"Cookie": cookie}).status == 200
    s.as_admin("DELETE", f"tokens/{made['id']}", status=204)
    assert s.ask("GET", "collections", token=None, headers={"Cookie": cookie}).status == 401
    assert s.ask("GET", "collections", token=made["token"]).status == 401
    s.ask("POST", "session", {"token": made["token"]}, token=None).problem(401)
    ended = telltale(s.db, "token", "create", "soon", "--scope", "read", "--expires", "2099-01-01T00:00:00Z").strip()
    cookie, _ = sign_in(s, ended)
    assert s.ask("GET", "collections", token=ended).status == 200
    telltale(s.db, "token", "revoke", ended[3:15]) # by another process: at once
    assert s.ask("GET", "collections", token=ended).status == 401 and s.ask("GET", "collections", token=None, headers={"Cookie": cookie}).status == 401
    s.ask("POST", "tokens", {"name": "past", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}).problem(400, "ended")
    s.ask("POST", "tokens", {"name": "x", "scopes": ["all"]}).problem(400, "all")
    s.ask("POST", "tokens", {"name": "x", "scopes": ["read"], "collections": ["no-such"]}).problem(404)


def test_sessions_and_tokens_end_by_themselves():
    s, _, _ = two()
    def turn_back(what, hours):
        with sqlite3.connect(s.db, timeout=20) as db:
            db.execute(what, (hours * 3600 * 1000000,))
        db.close()
    for column, hours in (("used_at", 13), ("created_at", 24 * 7 + 1)):
        cookie, _ = sign_in(s, s.tokens["read"])
        assert s.ask("GET", "collections", token=None, headers={"Cookie": cookie}).status == 200
        turn_back(f"UPDATE session SET {column} = {column} - ?", hours)
        within_a_second(lambda: s.ask("GET", "collections", token=None, headers={"Cookie": cookie}).status == 401)
    ends = telltale(s.db, "token", "create", "an hour", "--expires", "1h").strip()
    cookie, session = sign_in(s, ends)
    assert s.ask("GET", "collections", token=ends).status == 200
    turn_back("UPDATE token SET expires_at = expires_at - ? WHERE name = 'an hour'", 2)
    within_a_second(lambda: s.ask("GET", "collections", token=ends).status == 401)
    assert s.ask("GET", "collections", token=None, headers={"Cookie": cookie}).status == 401


def within_a_second(happens):
    """For what another program writes into the database itself; what telltale does is known at once."""
    until = time.monotonic() + 1
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_token_has_so_many_sessions():
    with Closed() as s:
        other, _ = sign_in(s, s.tokens["admin"])
        cookies = [sign_in(s, s.tokens["read"])[0] for _ in range(65)]
        here = lambda cookie: s.ask("GET", "collections", token=None, headers={"Cookie": cookie}).status
        assert [here(c) for c in (cookies[0], cookies[1], cookies[-1], other)] == [401, 200, 200, 200]


def test_who_asks_is_known_without_the_disk():
    with Closed() as s:
        def reads():
            with open(f"/proc/{s.process.pid}/io", encoding="ascii") as f:
                return int(next(line for line in f if line.startswith("syscr")).split()[1])
        cookie, _ = sign_in(s, s.tokens["ingest"])
        time.sleep(0.6)
        before = reads()
        for _ in range(150): # refused before anything else is looked at
            assert s.ask("GET", "collections", token="ingest").status == s.ask("GET", "collections", token=None, headers={"Cookie": cookie}).status == 403
        assert reads() - before < 100, f"{reads() - before} reads for 300 requests"


# ---- limits, the log, secrets ----------------------------------------------------------------------------------------------------------


def test_rates_and_sizes_are_held():
    s, _, _ = two()
    made = s.as_admin("POST", "tokens", {"name": "slow", "scopes": ["read", "ingest"], "rate": 1, "max_upload_mb": 1}, 201)
    got = [s.ask("GET", "collections", token=made["token"]) for _ in range(14)]
    assert [r.status for r in got[:10]] == [200] * 10 and got[-1].status == 429 and int(got[-1].headers["retry-after"]) >= 1, [r.status for r in got]
    assert got[-1].json()["code"] == "too_many"
    assert s.ask("GET", "collections").status == 200, "others are not slowed"
    big = s.as_admin("POST", "tokens", {"name": "small", "scopes": ["ingest"], "max_upload_mb": 1}, 201)
    s.ask("POST", "collections/bbb/uploads", b"x" * (1 << 20) + b"y", token=big["token"]).problem(413)
    pieces = (b"x" * (1 << 16) for _ in range(17)) # chunked: no length is told, and what comes is counted
    s.ask("POST", "collections/bbb/uploads?filename=a", pieces, token=big["token"]).problem(413, "1048576")
    s.ask("POST", "collections/bbb/uploads?filename=a", gzip.compress(os.urandom(4096) * 512), {"Content-Encoding": "gzip"}, token=big["token"]).problem(413, "1048576")
    codes = [s.ask("GET", "collections", token="tt_" + "b" * 12 + "_" + "C" * 43).status for _ in range(40)]
    assert 429 in codes and set(codes) <= {401, 429}, codes
    assert s.ask("GET", "collections").status == 200, "guessing shuts nobody out who knows"


def test_guesses_are_counted_wherever_they_come():
    with Closed("--behind-proxy", "loopback") as s:
        wrong = "tt_" + "b" * 12 + "_" + "C" * 43
        def guess(address, method="GET", path="collections", **more):
            return s.ask(method, path, more.get("body"), {"X-Forwarded-For": address}, token=more.get("token", wrong)).status
        def after(n, address, **more): # the status of the next guess from there
            return [guess(address(i), **more) for i in range(n + 1)][-1]
        assert after(20, lambda i: f"2001:db8::{i + 1:x}") == 429, "one network has all the addresses it likes"
        assert guess("2001:db8:0:1::1") == 401 and guess("192.0.2.1") == 401, "others are not slowed"
        assert after(19, lambda i: f"::ffff:192.0.2.{i + 10}") == 401, "these are addresses of their own"
        assert after(20, lambda i: "192.0.2.3", path="session") == 429, "asking whose it is is a guess too"
        assert guess("192.0.2.3", path="session", token=None) == 200 and guess("192.0.2.3", path="session", token="read") == 200
        assert after(20, lambda i: "192.0.2.4", method="POST", path="session", body={"token": wrong}, token=None) == 429


def test_sign_ins_have_a_rate_of_their_own():
    with Closed("--behind-proxy", "loopback") as s:
        enter = lambda address, token: s.ask("POST", "session", {"token": s.tokens[token]}, {"X-Forwarded-For": address}, token=None)
        assert [enter("192.0.2.1", "read").status for _ in range(100)] == [200] * 100
        refused = enter("192.0.2.2", "read")
        refused.problem(429, "sign-ins")
        assert 1 <= int(refused.headers["retry-after"]) <= 7, refused.headers
        assert enter("192.0.2.1", "admin").status == 200, "others come in"
        assert s.ask("GET", "collections", token="read").status == 200, "what signs in no more still works"


def test_a_batch_counts_for_each_of_its_messages():
    s, _, _ = two()
    made = s.as_admin("POST", "tokens", {"name": "slow batches", "scopes": ["read"], "rate": 1}, 201)
    batch = lambda n: s.ask("POST", "/mcp", [{"jsonrpc": "2.0", "id": i, "method": "ping"} for i in range(n)], {"Content-Type": "application/json"}, token=made["token"])
    assert len(batch(6).json()) == 6
    refused = batch(20)
    refused.problem(429, "more requests")
    assert int(refused.headers["retry-after"]) >= 1


def test_each_change_leaves_a_row_and_nothing_else_does():
    s, a, _ = two()
    rows = lambda: s.ask("GET", "audit?limit=1000").json()["items"]
    before = rows()[0]["id"]
    s.ask("GET", "collections/aaa"), s.ask("POST", "sql", {"query": "SELECT 1"}), s.ask("PATCH", "collections/no-such", {"name": "x"})
    s.ask("POST", "runs/tags", {"tag": "x"}), s.ask("DELETE", "collections/aaa", token="read")
    assert rows()[0]["id"] == before, rows()[:3]
    s.ask("POST", "runs/tags", {"tag": "seen", "ids": a["runs"]}), s.ask("PATCH", f"findings/{a['finding']}", {"status": "confirmed", "note": "a word nobody logs"}, token="review")
    s.ask("POST", "runs/tags", {"tag": "seen", "ids": a["runs"]}) # nothing changes
    new = [r for r in rows() if r["id"] > before]
    assert [(r["actor"], r["action"], r["target"]) for r in new] == [("review", "PATCH /api/v1/findings/{id}", a["finding"]), ("admin", "POST /api/v1/runs/tags", None)], new
    assert new[0]["detail"] == {"status": "confirmed"} and new[1]["detail"] == {"ids": 2} and new[0]["address"] == "127.0.0.1" and new[0]["token"]
    telltale(s.db, "tag", "-c", "aaa", "by-hand", USER="carol")
    assert rows()[0]["actor"] == "cli:carol" and rows()[0]["action"] == "telltale tag" and rows()[0]["target"] == "aaa"
    assert "cli:carol" in telltale(s.db, "audit", "--limit", "1")
    assert [r["actor"] for r in s.ask("GET", "audit?actor=review").json()["items"]] == ["review"]


def test_no_token_is_written_anywhere():
    with Closed("--log-level", "debug") as s:
        cookie, session = sign_in(s, s.tokens["admin"])
        s.ask("GET", "collections", token="read"), s.ask("GET", "collections", token=None, headers={"Cookie": cookie})
        s.ask("POST", "collections", {"name": "x"}), s.ask("GET", "collections", token="tt_" + "z" * 12 + "_" + "Q" * 43)
        s.ask("POST", "session", {"token": "not-even-a-token"}, token=None)
        files = [os.path.join(folder, f) for folder, _, names in os.walk(s.path) for f in names]
        for file in files:
            with open(file, "rb") as f:
                held = f.read()
            for secret in (*s.tokens.values(), *(t[16:] for t in s.tokens.values()), cookie.split("=")[1], "Q" * 43, "not-even-a-token"):
                assert secret.encode() not in held, f"{file} holds a token"
        assert {"t.db", "t.db-wal", "t.db.key", "log"} <= {os.path.basename(f) for f in files}
        assert os.stat(s.db + ".key").st_mode & 0o777 == 0o600
        s.stop()
        used = json.loads(telltale(s.db, "--json", "token", "list"))
        assert {t["name"] for t in used["items"] if t["used_at"]} >= {"admin", "read"}, used
        os.rename(s.db + ".key", s.db + ".lost") # without its key no token is known again, and that is said
        r = subprocess.run([PROGRAM, "--db", s.db, "serve", "--listen", "127.0.0.1:0", "--require-token"], capture_output=True, text=True, timeout=30)
        assert r.returncode and ".key" in r.stderr, r.stderr
        for make in (("token", "create", "another"), ("webhook", "add", "https://example.org/x")): # nor is another key made in its place
            r = subprocess.run([PROGRAM, "--db", s.db, *make], capture_output=True, text=True, timeout=30)
            assert r.returncode == 3 and ".key" in r.stderr and "backup" in r.stderr and not os.path.exists(s.db + ".key"), r.stderr
        os.rename(s.db + ".lost", s.db + ".key")
        readable = f"others on this machine can read the key of the tokens, {s.db}.key: chmod 600 it"
        assert readable not in s.said(1 << 30)
        os.chmod(s.db + ".key", 0o644)
        assert readable in telltale(s.db, "check", status=1)
        s.start()
        assert readable in s.said(1 << 30)
        os.chmod(s.db + ".key", 0o600)
        assert s.ask("GET", "collections").status == 200
        os.rename(s.db + ".key", s.db + ".lost") # while it runs
        s.ask("GET", "collections").problem(503, ".key", "backup")
        assert s.ask("GET", "collections", token="tt_" + "z" * 12 + "_" + "Q" * 43).status == 401
        for token in json.loads(telltale(s.db, "--json", "token", "list"))["items"]: # the way on without it
            telltale(s.db, "token", "revoke", token["id"]) if not token["revoked_at"] else None
        s.tokens["admin"] = telltale(s.db, "token", "create", "anew", "--scope", "admin").strip()
        assert s.ask("GET", "collections").status == 200


def test_tokens_on_the_command_line():
    with Server() as s:
        c = s.collection("nightly")
        make = lambda *args, **how: telltale(s.db, "token", "create", *args, **how)
        make("ci", "-c", "nightly", "--rate", "20", "--max-upload", "500"), make("twice"), make("twice", "--expires", "2999-01-01T00:00:00Z")
        make("x", "--rate", "0", status=2)
        row = next(line for line in telltale(s.db, "token", "list").splitlines() if " ci " in line)
        assert "nightly" in row and "usable" in row and c["id"] not in row and row.split()[-2:] == ["20", "500"], row
        telltale(s.db, "token", "revoke", "twice", status=3)
        telltale(s.db, "token", "revoke", "ci")
        assert "revoked" in next(line for line in telltale(s.db, "token", "list").splitlines() if " ci " in line)
        telltale(s.db, "token", "revoke", "no-such", status=3)
        telltale(s.db, "token", "create", "a reader", "--scope", "read", USER="")
        last = lambda: s.get("audit")["items"][0]
        assert last()["target"] == "a reader" and last()["detail"] == {"scopes": ["read"]} and not last()["actor"][4:].isdigit(), last()
        s.send("POST", "tokens", {"name": "rest", "scopes": ["admin"]}, 201)
        assert last()["target"] == "rest" and last()["detail"] == {"scopes": ["admin"]}, last()
        s.send("POST", "collections", {"name": "k9b"}, 201)
        assert last()["target"] == "k9b", last()
        s.upload(jsonl([{"id": "r", "messages": [{"role": "user", "content": "go"}]}]), collection="nightly")
        run = s.get("collections/nightly/runs")["items"][0]["id"]
        telltale(s.db, "delete", "run", run, "--yes")
        assert last()["target"] == run, last()
        telltale(s.db, "delete", "collection", "k9b", "--yes")
        assert last()["target"] == "k9b" and last()["detail"]["runs"] == 0, last()
        s.ask("DELETE", "collections/" + c["id"])
        assert last()["target"] == "nightly" and last()["detail"] == {"id": c["id"], "runs": 0}, last()
        telltale(s.db, "webhook", "add", "https://example.org/T0/secret?x=1")
        assert last()["target"] == "https://example.org", last()
        for file in ("t.db", "t.db-wal", "t.db-shm", "t.db.lock", "t.db.key"): # nobody else on the machine reads along
            assert os.stat(os.path.join(s.path, file)).st_mode & 0o077 == 0, file


def test_the_log_says_what_was_changed():
    with Server() as s:
        last = lambda: [s.get("audit")["items"][0][k] for k in ("target", "detail")]
        telltale(s.db, "collections", "add", "k")
        assert last()[0] == "k", last()
        telltale(s.db, "collections", "quota", "k", "3runs")
        assert last() == ["k", {"quota": "3runs"}], last()
        telltale(s.db, "collections", "keep", "k", "90d")
        assert last() == ["k", {"keep": "90d"}], last()
        s.send("PATCH", "collections/k", {"quota": "none", "keep": "12h", "description": "a word nobody logs", "name": "l"})
        assert last() == ["k", {"name": "l", "description": "changed", "keep": "12h", "quota": "none"}], last()
        telltale(s.db, "token", "create", "t", "-c", "l", "--scope", "admin", "--expires", "2999-01-01T00:00:00Z", "--rate", "5", "--max-upload", "7")
        said = {"scopes": ["admin"], "collections": ["l"], "rate": 5, "max_upload_mb": 7}
        target, detail = last()
        assert target == "t" and detail.pop("expires_at").startswith("2999-01-01T00:00:00") and detail == said, detail
        s.send("POST", "tokens", {"name": "t", "scopes": ["admin"], "collections": ["l"], "expires_at": "2999-01-01T00:00:00Z", "rate": 5, "max_upload_mb": 7}, 201)
        target, detail = last()
        assert target == "t" and detail.pop("expires_at").startswith("2999-01-01T00:00:00") and detail == said, detail


def test_a_token_whose_collections_are_gone_is_for_none():
    with Server() as s:
        telltale(s.db, "token", "create", "of all")
        s.collection("short")
        telltale(s.db, "token", "create", "of one", "-c", "short")
        s.ask("DELETE", "collections/short")
        assert {t["name"]: t["collections"] for t in s.get("tokens")["items"]} == {"of all": None, "of one": []}
        assert {t["name"]: t["collections"] for t in json.loads(telltale(s.db, "--json", "token", "list"))["items"]} == {"of all": None, "of one": ""}
        rows = {name: line for line in telltale(s.db, "token", "list").splitlines() for name in ("of all", "of one") if name in line}
        assert "none (deleted)" in rows["of one"] and "none" not in rows["of all"], rows


def test_a_bound_token_does_not_lift_its_limits():
    with Closed() as s:
        s.as_admin("POST", "collections", {"name": "mine"}, 201)
        s.as_admin("PATCH", "collections/mine", {"quota": "3runs"})
        s.bind("bound", "mine")
        for change in ({"quota": "none"}, {"quota": "9runs", "description": "x"}, {"keep": "forever"}):
            s.ask("PATCH", "collections/mine", change, token="bound").problem(403, "for all collections")
        assert s.ask("PATCH", "collections/mine", {"description": "y"}, token="bound").status == 200
        c = s.as_admin("GET", "collections/mine")
        assert (c["quota"], c["keep"], c["description"]) == ("3runs", None, "y"), c


def test_a_full_collection_of_others_is_not_there():
    with Closed() as s:
        for name in ("mine", "theirs"):
            s.as_admin("POST", "collections", {"name": name}, 201)
        s.as_admin("PATCH", "collections/theirs", {"quota": "1runs"})
        id = s.as_admin("GET", "collections/theirs")["id"]
        s.upload(jsonl([chat("a"), chat("b")]), "a.jsonl", "theirs")
        s.ask("POST", f"collections/{id}/uploads?filename=b", b"{}").problem(507, "quota")
        s.bind("bound", "mine")
        for path in ("collections/theirs/uploads?filename=b", f"collections/{id}/uploads?filename=b", f"/rest/{id}/agent_runs"):
            s.ask("POST", path, b"{}", token="bound").problem(404)


def test_a_server_others_reach_does_not_start_open():
    with Server() as s:
        s.stop()
        r = subprocess.run([PROGRAM, "--db", s.db, "serve", "--listen", "0.0.0.0:0"], capture_output=True, text=True, timeout=30)
        assert r.returncode == 2 and "token create" in r.stderr and "--insecure" in r.stderr, r.stderr
        p = subprocess.Popen([PROGRAM, "--db", s.db, "serve", "--listen", "0.0.0.0:0", "--insecure"], stderr=subprocess.PIPE, text=True)
        try:
            said = p.stderr.readline() + p.stderr.readline()
            assert "--insecure" in said and "listening" in said, said
        finally:
            p.terminate()
            p.wait(timeout=15)
            p.stderr.close()
    for options in (("--behind-proxy", "loopback"), ("--host", "telltale.example.org")): # whoever comes through a proxy comes from loopback
        with Server() as s:
            s.collection()
            s.stop()
            r = subprocess.run([PROGRAM, "--db", s.db, "serve", "--listen", "127.0.0.1:0", *options], capture_output=True, text=True, timeout=30)
            assert r.returncode == 2 and "token create" in r.stderr, r.stderr
            admin = {"Authorization": "Bearer " + telltale(s.db, "token", "create", "the boss", "--scope", "admin").strip()}
            s.options = options
            s.start()
            outside = {"Host": "telltale.example.org" if options[0] == "--host" else f"127.0.0.1:{s.port}", "X-Forwarded-For": "203.0.113.9"}
            assert s.ask("GET", "collections", headers=outside).status == 401
            assert s.ask("DELETE", "collections/c", headers=outside).status == 401
            assert s.ask("GET", "collections/c", headers={**outside, **admin}).status == 200
    with Closed() as s: # on a network of its own without TLS: it is said that tokens can be read on their way
        s.stop()
        assert "no TLS" not in s.said()
        p = subprocess.Popen([PROGRAM, "--db", s.db, "serve", "--listen", "0.0.0.0:0"], stderr=subprocess.PIPE, text=True)
        try:
            said = p.stderr.readline() + p.stderr.readline()
            assert "no TLS" in said and "--tls-cert" in said and "listening" in said, said
        finally:
            p.terminate()
            p.wait(timeout=15)
            p.stderr.close()
    with Server() as s: # open: nobody is asked, and what is sent is not looked at
        assert s.ask("GET", "collections", headers={"Authorization": "Bearer any"}).status == 200
        assert s.get("session")["mode"] == "open" and s.get("session")["scopes"] == list(SCOPES)


def test_old_doors_take_tokens():
    s, _, _ = two()
    import base64
    basic = lambda token: {"Authorization": "Basic " + base64.b64encode(f"pk-lf-bbb:{token}".encode()).decode()}
    event = {"batch": [{"id": "e1", "type": "trace-create", "timestamp": "2026-01-01T00:00:00Z", "body": {"id": "t1", "name": "x"}}]}
    assert s.ask("POST", "/api/public/ingestion", event, basic("sk-lf-x"), token=None).status in (401, 429)
    assert s.ask("POST", "/api/public/ingestion", event, basic(s.tokens["read"]), token=None).status == 403
    assert s.ask("POST", "/api/public/ingestion", event, basic(s.tokens["ingest"]), token=None).status == 207
    assert s.ask("POST", "/api/public/ingestion", {"batch": [dict(event["batch"][0], id="e2")]}, basic(s.tokens["only b"]), token=None).status == 207
    assert s.ask("GET", "/rest/api-keys/test", token=None).status == 401 and s.ask("GET", "/rest/api-keys/test", token="read").status == 200


def test_who_may_put_runs_in_brings_no_rules():
    s, a, b = two()
    rule = {"rule": {"id": "planted", "text": "id: planted\nversion: 1\ntitle: Planted\nkind: odd_behavior\nbehavior: planted\nwhen: {has: {text: {contains: x}}}\n"}}
    s.ask("POST", "exceptions", {"detector": "missing-program", "collection": "aaa", "note": "gone with it"})
    lines = s.ask("GET", "collections/aaa/export").body.decode().splitlines()
    kept = [l for l in lines if '"exception"' in l[:20] or '"label_set"' in l[:20]]
    assert any(l.startswith('{"exception"') for l in kept), [l[:60] for l in lines]
    for token in ("ingest", "only b"):
        count = len(s.ask("GET", "exceptions?collection=bbb").json()["items"])
        up = s.ask("POST", f"collections/bbb/uploads?filename={token.replace(' ', '')}.jsonl&wait=20&format=native", "\n".join([*lines, json.dumps(rule)]).encode(), token=token).json()
        assert up["state"] == "done" and any("scope admin" in e["message"] for e in up["result"]["errors"]), up
        assert len(s.ask("GET", "exceptions?collection=bbb").json()["items"]) == count
        assert s.ask("GET", "rules").json()["items"] == []


def test_files_are_sent_with_a_token():
    s, _, _ = two()
    file, url = os.path.join(s.path, "sent.jsonl"), f"http://127.0.0.1:{s.port}"
    with open(file, "w", encoding="utf-8") as f:
        f.write(jsonl([chat("sent-1"), chat("sent-2", "other words")]))
    send = [PROGRAM, "import", "--to", url, "-c", "bbb", file]
    for token, words in (("", "TELLTALE_TOKEN is to hold"), ("tt_unknown", "TELLTALE_TOKEN: the server answered 401: the token is not known")):
        said = subprocess.run(send, env={**os.environ, "TELLTALE_TOKEN": token}, capture_output=True, timeout=60)
        assert said.returncode == 3 and words in said.stderr.decode() and "sign in" not in said.stderr.decode(), said
    telltale("unused.db", "import", "--to", url, "-c", "bbb", file, status=1, TELLTALE_TOKEN=s.tokens["read"]) # the file is refused
    for name in ("bbb", "made by sending"):
        telltale("unused.db", "import", "--to", url, "-c", name, file, TELLTALE_TOKEN=s.tokens["ingest"]) # it may not even look whether it is there
        assert len([r for r in s.ask("GET", f"collections/{name.replace(' ', '%20')}/runs").json()["items"] if r["external_id"].startswith("sent-")]) == 2
    telltale("unused.db", "import", "--to", url, "-c", "aaa", file, status=1, TELLTALE_TOKEN=s.tokens["only b"])
    with open(file, "w", encoding="utf-8") as f:
        f.write(jsonl([chat("sent-1", "changed"), chat("sent-2", "other words")]))
    sent = lambda token: json.loads(telltale("unused.db", "import", "--json", "--to", url, "-c", "bbb", file, TELLTALE_TOKEN=s.tokens[token]))["runs"]
    with_ingest = sent("ingest")
    assert (with_ingest["new"], with_ingest["updated"], with_ingest["duplicate"]) == (1, 0, 1), with_ingest
    with open(file, "w", encoding="utf-8") as f:
        f.write(jsonl([chat("sent-1", "changed again"), chat("sent-2", "other words")]))
    with_admin = sent("admin")
    assert (with_admin["new"], with_admin["updated"], with_admin["duplicate"]) == (0, 1, 1), with_admin


def test_the_servers_of_these_tests_end():
    while _two:
        s = _two[0]
        _two.clear()
        s.__exit__(None)
