"""What people say of findings, and the exceptions of rules that come of it."""
import os
import sqlite3
import subprocess
import tempfile

from server import PROGRAM, Server, chat, jsonl
from test_api import check, described

RULE = """
id: not-there
title: "{prog} is not there"
behavior: missing-program
why: A program is missing.
events: { miss: { on: user, text: '(?P<prog>\\w+): command not found' } }
find: miss
"""


class Ruled(Server):
    """With a rule of its own beside the shipped ones."""

    def __init__(self):
        self.rules = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.rules.write(RULE)
        self.rules.flush()
        super().__init__("--rules", self.rules.name)


def missing(s, *programs):
    s.upload(jsonl(chat(f"{p}-{os.urandom(3).hex()}", f"{p}: command not found") for p in programs))


def statuses(s, **more):
    return sorted((f["title"].split()[0], f["status"], f["exception"] is not None)
                  for f in s.all("collections/c/findings", detector="not-there", **more))


def test_an_exception_of_many_findings_is_written_in_parts():
    with Ruled() as s:
        s.collection()
        missing(s, *["xxd"] * 1203, "vim")
        wish = {"detector": "not-there", "when": {"capture.prog": {"is": "xxd"}}, "collection": "c"}
        assert s.send("POST", "exceptions/test", wish) == {"findings": 1203}
        made = s.send("POST", "exceptions", wish, 201)
        assert made["findings"] == 1203 and s.get("collections/c/findings?detector=not-there&status=open")["total"] == 1
        # Taking it back that is broken off in the middle leaves what was reopened open; what comes is open too, and the same again does the rest.
        with sqlite3.connect(s.db) as db:
            db.execute("CREATE TRIGGER cut AFTER UPDATE OF exception ON finding WHEN new.exception IS NULL AND"
                       " (SELECT count(*) FROM finding WHERE exception IS NULL AND detector = 'not-there') > 700 BEGIN SELECT RAISE(ABORT, 'cut'); END")
        db.close()
        assert s.ask("DELETE", f"exceptions/{made['id']}").status >= 500
        assert s.get("collections/c/findings?detector=not-there&status=open")["total"] == 501
        with sqlite3.connect(s.db) as db:
            db.execute("DROP TRIGGER cut")
        db.close()
        missing(s, "xxd")
        assert s.get("collections/c/findings?detector=not-there&status=open")["total"] == 502
        assert [x["findings"] for x in s.get("exceptions", collection="c")["items"]] == [703]
        assert s.send("DELETE", f"exceptions/{made['id']}") == {"reopened": 703} and s.get("collections/c/findings?detector=not-there&status=open")["total"] == 1205
        assert not s.get("exceptions", collection="c")["items"]


def test_an_exception_sets_aside_what_is_there_and_what_comes():
    with Ruled() as s:
        doc = s.get("/openapi.json")
        s.collection()
        missing(s, "xxd", "xxd", "vim")
        wish = {"detector": "not-there", "when": {"capture.prog": {"is": "xxd"}}, "collection": "c"}
        tried = s.send("POST", "exceptions/test", wish)
        check(tried, described(doc, "/api/v1/exceptions/test", "post", 200), doc)
        assert tried == {"findings": 2}, tried
        before = s.get("collections/c")["findings"]
        made = s.send("POST", "exceptions", {**wish, "reviewer": "ann", "note": "it is optional"}, 201)
        check(made, described(doc, "/api/v1/exceptions", "post", 201), doc)
        assert made["findings"] == 2 and made["reviewer"] == "ann" and made["collection_name"] == "c" and made["when"] == wish["when"], made
        assert s.get("collections/c")["findings"] == before - 2
        missing(s, "xxd", "vim")
        assert statuses(s) == [("vim", "open", False)] * 2 + [("xxd", "dismissed", True)] * 3, statuses(s)
        assert statuses(s, exception=made["id"]) == [("xxd", "dismissed", True)] * 3
        assert s.get("collections/c")["findings"] == before - 1
        row = next(d for d in s.get("collections/c/summary")["detectors"] if d["detector"] == "not-there")
        assert (row["open"], row["dismissed"], row["excepted"]) == (2, 0, 3), row  # nobody reviewed anything
        job = s.send("POST", "collections/c/scans", {}, 202)["id"]
        assert s.get(f"jobs/{job}", wait=30)["state"] == "done"
        listed = s.get("exceptions", collection="c", detector="not-there")
        check(listed, described(doc, "/api/v1/exceptions", "get", 200), doc)
        assert [x["findings"] for x in listed["items"]] == [3], listed
        gone = s.send("DELETE", f"exceptions/{made['id']}")
        check(gone, described(doc, "/api/v1/exceptions/{id}", "delete", 200), doc)
        assert gone == {"reopened": 3}, gone
        assert {x[1:] for x in statuses(s)} == {("open", False)} and s.get("collections/c")["findings"] == before + 2
        s.ask("DELETE", f"exceptions/{made['id']}").problem(404)


def test_what_a_person_said_stays_and_the_oldest_exception_counts():
    with Ruled() as s:
        s.collection()
        s.collection("d")
        missing(s, "xxd", "vim", "jq")
        by = {f["title"].split()[0]: f["id"] for f in s.all("collections/c/findings", detector="not-there")}
        s.send("PATCH", f"findings/{by['vim']}", {"status": "confirmed", "reviewer": "bob"})
        everywhere = s.send("POST", "exceptions", {"detector": "not-there"}, 201)
        assert everywhere["findings"] == 2 and everywhere["collection"] is None, everywhere
        here = s.send("POST", "exceptions", {"detector": "not-there", "collection": "c", "when": {"title": {"not": "xxd"}}}, 201)
        assert here["findings"] == 0, here
        assert [x["id"] for x in s.get("exceptions", collection="d")["items"]] == [everywhere["id"]]
        assert statuses(s) == [("jq", "dismissed", True), ("vim", "confirmed", False), ("xxd", "dismissed", True)]
        # one that goes gives its findings to the next that holds of them
        assert s.send("DELETE", f"exceptions/{everywhere['id']}") == {"reopened": 1}
        assert statuses(s) == [("jq", "dismissed", True), ("vim", "confirmed", False), ("xxd", "open", False)]
        # a person's word takes the place of an exception's
        s.send("PATCH", f"findings/{by['jq']}", {"status": "confirmed", "reviewer": "bob"})
        assert statuses(s)[0] == ("jq", "confirmed", False)
        assert s.get("exceptions")["items"][0]["findings"] == 0
        # and when it is taken back the exception counts again, as it would in the next scan and in an import of the export
        s.send("PATCH", f"findings/{by['jq']}", {"status": "open"})
        assert statuses(s)[0] == ("jq", "dismissed", True), statuses(s)
        assert s.get("exceptions")["items"][0]["findings"] == 1


def test_an_export_carries_exceptions():
    with Ruled() as s:
        s.collection()
        s.send("POST", "exceptions", {"detector": "not-there", "when": {"capture.prog": {"is": "xxd"}}, "note": "all"}, 201)
        s.send("POST", "exceptions", {"detector": "not-there", "collection": "c", "when": {"title": "^jq"}, "reviewer": "ann"}, 201)
        missing(s, "xxd", "vim", "jq")
        out = s.ask("GET", "collections/c/export").body
        with Ruled() as t:
            t.collection()
            t.upload(out, replace=1)
            assert t.ask("GET", "collections/c/export").body.splitlines()[1:] == out.splitlines()[1:]
            t.upload(out)
            assert statuses(t) == statuses(s) and len(t.get("exceptions", collection="c")["items"]) == 2
            t.collection("d")
            t.upload(out, collection="d")
            assert len(t.get("exceptions", collection="d")["items"]) == 2
        bad = out.replace(b'"when":{"title":"^jq"}', b'"when":{"nothing":1}').replace(b'"title":"^jq"', b'"title":"("')
        with Ruled() as t:
            t.collection()
            errors = t.upload(bad)["result"]["errors"]
            assert len(errors) == 1 and "nothing" in errors[0]["message"], errors
            assert t.get("collections/c")["runs"] == 3


def test_an_export_carries_the_rules_that_found_something():
    with Server() as s:
        s.send("PUT", "rules/not-there", {"text": RULE, "author": "ann", "note": "seen in CTF runs"})
        s.send("PUT", "rules/idle", {"text": RULE.replace("id: not-there", "id: idle").replace("command not", "module not")})
        s.collection()
        missing(s, "xxd", "vim")
        before = statuses(s)
        out = s.ask("GET", "collections/c/export").body
        assert len(before) == 2 and b'"rule":{"id":"not-there"' in out and b'"rule":{"id":"idle"' not in out, out[:2000]
        with Server() as t:
            t.collection()
            t.upload(out, replace=1)
            assert t.ask("GET", "collections/c/export").body.splitlines()[1:] == out.splitlines()[1:]
            kept = t.get("rules")["items"]
            assert [(r["id"], r["text"], r["author"]) for r in kept] == [("not-there", RULE, "ann")], kept
            job = t.send("POST", "collections/c/scans", {}, 202)["id"]
            assert t.get(f"jobs/{job}", wait=30)["state"] == "done" and statuses(t) == before
        with Server() as t:  # what is here under that id stays, also if it is gone
            t.send("PUT", "rules/not-there", {"text": RULE.replace("A program", "One program")})
            t.send("DELETE", "rules/not-there", status=204)
            t.collection()
            t.upload(out)
            assert t.get("rules")["items"] == [] and statuses(t) == before
        lines = out.splitlines(keepends=True)
        with Server() as t:  # of a detector that nobody has: it is taken over as it is
            t.collection()
            t.upload(b"".join(line for line in lines if not line.startswith(b'{"rule"')))
            assert t.get("rules")["items"] == [] and statuses(t) == before
        with Server() as t:
            t.collection()
            errors = t.upload(out.replace(b"find: miss", b"find: mist"))["result"]["errors"]
            assert len(errors) == 1 and "mist" in errors[0]["message"], errors
            assert t.get("rules")["items"] == [] and statuses(t) == before


def test_what_means_nothing_is_refused():
    with Server() as s:
        s.collection()
        s.ask("POST", "exceptions", {"detector": "x", "when": {"titel": "y"}}).problem(400, "titel", "capture.NAME")
        s.ask("POST", "exceptions", {"detector": "x", "when": {"title": "("}}).problem(400, "pattern")
        s.ask("POST", "exceptions", {"detector": "x", "collection": "nowhere"}).problem(404)
        s.ask("POST", "exceptions", {"when": {}}).problem(400, "detector")
        s.ask("POST", "exceptions", {"detector": "x", "when": []}).problem(400, "when")


def test_the_command_line_does_the_same():
    with Ruled() as s:
        s.collection()
        missing(s, "xxd", "vim", "jq")

        def run(*args, status=0, **env):
            p = subprocess.run([PROGRAM, "--db", s.db, *args], capture_output=True, text=True, env={**os.environ, **env})
            assert p.returncode == status, (p.stdout, p.stderr)
            return p.stdout
        assert "set aside 1" in run("exceptions", "add", "not-there", "capture.prog=xxd", "--dry-run")
        assert "xxd" in run("exceptions", "add", "not-there", "capture.prog=xxd", "--note", "is optional", USER="carol")
        row = s.get("exceptions")["items"][0]
        assert row["reviewer"] == "carol" and row["note"] == "is optional" and row["findings"] == 1, row
        assert "1 finding" in run("review", "dismissed", "--detector", "not-there", "--q", "vim", "--reviewer", "dan")
        vim = next(f for f in s.all("collections/c/findings", detector="not-there") if "vim" in f["title"])
        assert vim["status"] == "dismissed" and vim["reviewer"] == "dan", vim
        assert row["id"] in run("exceptions", "--json")
        assert "1 findings are open again" in run("exceptions", "delete", row["id"])
        run("exceptions", "delete", row["id"], status=3)
        run("exceptions", "add", "not-there", "xxd", status=2)
        run("review", "wrong", status=2)


OWN = """
id: says-done
title: "the agent says that it is done"
behavior: gave-up
why: A test.
events: { said: { on: assistant, text: 'done' } }
find: said
tests: { hit: [[{ assistant: done }]], clean: [[{ assistant: no }]] }
"""


def test_rules_of_ones_own_are_kept_and_used():
    with Server() as s:
        doc = s.get("/openapi.json")
        s.collection()
        s.upload(jsonl([chat("a")]))
        found = lambda: len(s.all("collections/c/findings", detector="says-done"))
        saved = s.send("PUT", "rules/says-done", {"text": OWN, "author": "ann", "note": "first"})
        check(saved, described(doc, "/api/v1/rules/{id}", "put", 200), doc)
        assert saved["version"] == 1 and saved["author"] == "ann", saved
        assert s.send("PUT", "rules/says-done", {"text": OWN})["version"] == 1  # the same again is no version
        assert any(d["id"] == "says-done" for d in s.get("detectors")["items"])
        assert found() == 0
        s.upload(jsonl([chat("b")]), filename="b.jsonl")
        assert found() == 1
        job = s.send("POST", "collections/c/scans", {"only": ["says-done"]}, 202)["id"]
        assert s.get(f"jobs/{job}", wait=30)["state"] == "done" and found() == 2
        assert s.send("PUT", "rules/says-done", {"text": OWN.replace("text: 'done'", "text: 'done|no way'")})["version"] == 2
        versions = s.get("rules/says-done/versions")
        check(versions, described(doc, "/api/v1/rules/{id}/versions", "get", 200), doc)
        assert [v["version"] for v in versions["items"]] == [2, 1] and versions["items"][1]["text"] == OWN, versions
        # one that takes the place of a shipped rule, until it goes
        shipped = next(d for d in s.get("detectors")["items"] if d["id"] == "repeated-call")
        s.send("PUT", "rules/repeated-call", {"text": OWN.replace("says-done", "repeated-call")})
        here = lambda: next(d for d in s.get("detectors")["items"] if d["id"] == "repeated-call")["version"]
        assert here() != shipped["version"]
        s.send("DELETE", "rules/repeated-call", status=204)
        assert here() == shipped["version"]
        assert [r["id"] for r in s.get("rules")["items"]] == ["says-done"]

        # the command line sees what the server saved, and the other way round
        def run(*args, status=0):
            p = subprocess.run([PROGRAM, "--db", s.db, *args], capture_output=True, text=True)
            assert p.returncode == status, (p.stdout, p.stderr)
            return p.stdout
        assert "says-done" in run("rules", "list") and "id: says-done" in run("rules", "own")
        path = os.path.join(s.path, "r.yaml")
        with open(path, "w") as f:
            f.write(OWN.replace("says-done", "from-a-file"))
        assert "version 1" in run("rules", "save", path)
        s.upload(jsonl([chat("d")]), filename="d.jsonl")
        assert len(s.all("collections/c/findings", detector="from-a-file")) == 1
        run("rules", "remove", "from-a-file")
        run("rules", "remove", "from-a-file", status=3)
        assert not any(d["id"] == "from-a-file" for d in s.get("detectors")["items"])


def test_a_rule_that_does_not_hold_is_not_saved():
    with Server() as s:
        put = lambda text, id="says-done": s.ask("PUT", f"rules/{id}", {"text": text})
        put(OWN, "other").problem(400, "says-done", "other")
        put(OWN.replace("events", "evnts")).problem(400, "evnts")
        put(OWN + "---" + OWN.replace("says-done", "two")).problem(400, "2 rules")
        put(OWN.replace("hit: [[{ assistant: done }]]", "hit: [[{ assistant: never }]]")).problem(400, "1 of its 2 tests")
        s.ask("DELETE", "rules/says-done").problem(404)
        assert s.get("rules")["items"] == []
        assert "properties" in s.get("rules/schema") or "$defs" in s.get("rules/schema")
