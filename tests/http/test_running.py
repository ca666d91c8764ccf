"""What keeps a server running: its settings, logs, figures, and what it throws away."""
import json
import os
import random
import signal
import sqlite3
import subprocess
import tempfile
import time

from server import COST, PROGRAM, Server, chat, jsonl
from test_access import Closed


def folder_with(settings):
    folder = tempfile.TemporaryDirectory(prefix="telltale-http-")
    with open(os.path.join(folder.name, "telltale.yaml"), "w") as out:
        out.write(settings)
    return folder


def test_serve_takes_its_options_from_the_settings_too():
    config = "telltale.yaml"
    with folder_with("serve:\n  listen: 127.0.0.1:1\n  sample: true\n  max-upload: 1\n  web-dir: page\n") as folder:
        os.mkdir(os.path.join(folder, "page"))
        with open(os.path.join(folder, "page", "index.html"), "w") as out:
            out.write("<p>from the folder beside the settings</p>")
        with Server("--config", os.path.join(folder, config), "--max-upload", "2") as s: # listens where the command line says
            assert s.get("collections")["total"] == 1
            assert b"beside the settings" in s.ask("GET", "/").body
            assert s.ask("POST", "collections/sample/uploads?filename=a", b"x" * (3 << 20)).status == 413
            assert s.ask("POST", "collections/sample/uploads?filename=a", b"x" * (3 << 19)).status == 202


def test_what_is_wrong_in_the_settings_of_serve_stops_it():
    for settings, words in (("serve: {lissten: x}", "telltale.yaml:1:9: serve has no key 'lissten'; did you mean 'listen'?"),
                            ("serve: {sample: 3}", "1:17: sample is true or false"),
                            ("serve: {workers: {a: 1}}", "1:18: workers must be a text"),
                            ("serve: [listen]", "1:8: serve: a map of options was expected"),
                            ("serve: {workers: two}", "telltale.yaml:1:18: workers takes a whole number, 1 or more, not 'two'"),
                            ("serve: {config: other.yaml}", "serve has no key 'config'")):
        with folder_with(settings) as folder:
            done = subprocess.run([PROGRAM, "--db", "t.db", "serve", "--listen", "127.0.0.1:0"], cwd=folder, capture_output=True, timeout=20)
            assert done.returncode == 2 and words in done.stderr.decode(), (settings, done.returncode, done.stderr)


def lines(s, message):
    """The lines of a JSON log that bear this message."""
    return [row for row in (json.loads(line) for line in s.said(1 << 30).splitlines() if line.startswith("{")) if row["message"] == message]


def test_a_request_is_a_line_in_the_log_that_its_answer_names():
    with Server("--log", "json") as s:
        c = s.collection("secret-name")
        found = s.ask("GET", "search?q=hidden-words", headers={"X-Request-Id": "mine-1.a_b"})
        assert found.headers["x-request-id"] == "mine-1.a_b", found.headers
        for bad in ("a b", "x" * 65, "a\u00e9", 'a"b', ""):
            got = s.ask("GET", f"collections/{c['id']}", headers={"X-Request-Id": bad.encode()}).headers["x-request-id"]
            assert len(got) == 16 and int(got, 16) >= 0, got
        assert s.ask("GET", "/no/such%1b[31mpath").status == 404
        s.ask("GET", "/healthz")
        job = s.upload(jsonl([chat("a")]), collection="secret-name")
        s.stop()
        requests = lines(s, "request")
        ids = [r["id"] for r in requests]
        assert len(set(ids)) == len(ids) and "mine-1.a_b" in ids
        search = next(r for r in requests if r["id"] == "mine-1.a_b")
        assert search["method"] == "GET" and search["route"] == "/api/v1/search" and search["status"] == 200, search
        assert search["bytes"] == len(found.body) and 0 < search["ms"] < 60000 and search["level"] == "info", search
        assert [r for r in requests if r["status"] == 404 and "route" not in r]
        assert not [r for r in requests if r.get("route") == "/healthz"]        # asked for all the time: only under debug
        assert lines(s, "job")[0] | {"ms": 0, "time": ""} == {"time": "", "level": "info", "message": "job", "id": job["id"], "kind": "import", "state": "done",
                                                              "ms": 0, "collection": c["id"]}, lines(s, "job")
        assert "hidden-words" not in s.said(1 << 30) and "secret-name" not in s.said(1 << 30)  # what people look for is not in the log


def test_lines_of_requests_say_who_asked_from_where():
    with Server("--log", "json") as s:
        s.ask("GET", "collections", headers={"X-Request-Id": "open", "Authorization": "Bearer any"})
        s.stop()
        line = next(r for r in lines(s, "request") if r["id"] == "open")
        assert line["client"] == "127.0.0.1" and "token" not in line, line
    with Closed("--log", "json") as s:
        s.as_admin("POST", "collections", {"name": "c"}, 201)
        s.ask("GET", "collections", headers={"X-Request-Id": "right"}, token="read")
        s.ask("POST", "reload", {}, headers={"X-Request-Id": "forbidden"}, token="read")
        s.ask("GET", "collections", headers={"X-Request-Id": "nobody"}, token=None)
        assert s.ask("GET", "collections", headers={"X-Request-Id": "the-boss"}, token=s.bind("the \"boss\" status=1", "c", scopes=["read"])["token"]).status == 200
        s.stop()
        by = {r["id"]: r for r in lines(s, "request")}
        assert {name: by[name].get("token") for name in ("right", "forbidden", "nobody", "the-boss")} == \
            {"right": "read", "forbidden": "read", "nobody": None, "the-boss": "the \"boss\" status=1"}, by
        assert {r["client"] for r in by.values()} == {"127.0.0.1"}
        assert not any(token in s.said(1 << 30) for token in s.tokens.values())
        s.options = ("--require-token", "--log", "text")
        s.start()
        s.ask("GET", "collections", headers={"X-Request-Id": "as-text"}, token="read")
        s.stop()
        line = next(line for line in s.said(1 << 30).splitlines() if "id=as-text" in line)
        assert " client=127.0.0.1 " in line and " token=read " in line, line


def test_rules_and_settings_are_read_again_without_a_restart():
    with tempfile.TemporaryDirectory(prefix="telltale-http-") as folder:
        settings = os.path.join(folder, "telltale.yaml")

        def write(text):
            with open(settings, "w") as out:
                out.write(text)

        def findings(only={"only": ["repeated-call"]}):
            job = s.send("POST", "collections/c/scans", only, 202)
            assert s.get(f"jobs/{job['id']}", wait=30)["state"] == "done"
            return {f["severity"] for f in s.get("collections/c/findings", detector="repeated-call")["items"]}

        call = {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "function": "bash", "arguments": {"cmd": "ls"}}]}
        back = {"role": "tool", "tool_call_id": "c", "content": "the same"}
        write("detectors: {repeated-call: {severity: low}}\nserve: {log: json, workers: 1}\n")
        with Server("--config", settings) as s:
            s.collection()
            s.upload(jsonl([{"id": "r", "messages": [{"role": "user", "content": "go"}, *[call, back] * 12]}]))
            assert findings() == {"low"}
            write("detectors: {repeated-call: {severity: high}}\nserve: {log: json, workers: 2, redact: true}\n")
            s.process.send_signal(signal.SIGHUP)
            until = time.monotonic() + 10
            while not lines(s, "rules and settings were read again") and time.monotonic() < until:
                time.sleep(0.02)
            assert findings() == {"high"}
            assert lines(s, "--workers has changed: that holds when the server starts again")
            assert "--redact" not in s.said(), "secrets are redacted from now on"
            for broken, words in (("detectors: {repeated-call: {severity: grave}}\n", "severity is low, medium or high"),
                                  ("detectors: {repeated-call: {severity: low}}\nrules: nowhere\n", "nowhere: No such file"),
                                  ("serve: {listn: x}\n", "serve has no key 'listn'")):
                write(broken)
                said = s.ask("POST", "reload", {}).json()["detail"]
                assert words in said, said
            assert findings() == {"high"}
            write("disable: repeated-call\n")
            for _ in range(2): # and again, until it is started anew
                assert s.send("POST", "reload", {}) == {"status": "reloaded", "redact": False,
                                                         "waits": "changed, and holds when the server starts again: workers"}
            write("disable: repeated-call\nserve: {workers: 1, require-token: true}\n")
            assert s.send("POST", "reload", {})["waits"].endswith(": require-token")
            write("disable: repeated-call\nserve: {workers: 1}\n")
            assert s.send("POST", "reload", {}) == {"status": "reloaded", "redact": False, "waits": None}
            assert findings({}) == set() # one that is named looks though it is off


def test_a_reload_does_not_lose_redaction_unsaid():
    with tempfile.TemporaryDirectory(prefix="telltale-http-") as folder:
        settings = os.path.join(folder, "telltale.yaml")

        def write(text):
            with open(settings, "w") as out:
                out.write(text)

        def stored(id):
            s.upload(jsonl([{"id": id, "messages": [{"role": "user", "content": "it is AKIAQ3EGRL7TW5ZNB2VC, and EMP-123456"}]}]))
            run = next(r for r in s.get("collections/c/runs")["items"] if r["external_id"] == id)
            return s.ask("GET", f"runs/{run['id']}/messages").body.decode()

        write("redact: true\n")
        with Server("--log", "json", cwd=folder) as s:
            s.collection()
            os.remove(settings)
            s.ask("POST", "reload", {}).problem(422, "telltale.yaml is gone")
            write("")
            s.ask("POST", "reload", {}).problem(422, "telltale.yaml is empty")
            write("# to come\n")
            s.ask("POST", "reload", {}).problem(422, "telltale.yaml is empty")
            assert "it is [redacted:aws-key], and EMP-123456" in stored("kept")
            assert "redaction has changed" not in s.said()
            write("redact: {staff-card: 'EMP-[0-9]{6}'}\n")
            assert s.send("POST", "reload", {}) == {"status": "reloaded", "redact": True, "waits": None}
            assert lines(s, "redaction has changed: other secrets than before are redacted from now on")
            assert "it is [redacted:aws-key], and [redacted:staff-card]" in stored("own")
            write("{}\n")
            assert s.send("POST", "reload", {}) == {"status": "reloaded", "redact": False, "waits": None}
            assert lines(s, "redaction has changed: it is off, and secrets are stored from now on")
            os.remove(settings)
            s.ask("POST", "reload", {}).problem(422, "telltale.yaml is gone")


def age(s, runs, days):
    """Makes runs as old as that; the server is stopped."""
    with sqlite3.connect(s.db) as db:
        db.execute(f"UPDATE run SET imported = imported - {days} * 86400000000 WHERE external_id IN ({','.join('?' * len(runs))})", runs)


def test_old_runs_go_and_those_that_somebody_works_with_stay():
    loop = [{"role": "assistant", "content": "", "tool_calls": [{"id": "c", "function": "bash", "arguments": {"cmd": "ls"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "the same"}] * 12
    names = ["plain", "young", "labelled", "tagged", "noted", "confirmed", "found-label", "dismissed"]
    with Server("--keep", "30d", "--log", "json") as s:
        s.collection("own")
        s.collection()
        s.upload(jsonl([{"id": name, "messages": [{"role": "user", "content": "go"}, *loop], "tags": ["of-the-source"]} for name in names]))
        s.upload(jsonl([chat(f"n{i}") for i in range(10)]), collection="own", filename="own")
        run = {r["external_id"]: r["id"] for r in s.all("collections/c/runs")}
        finding = {f["run"]["external_id"]: f["id"] for f in s.all("collections/c/findings", detector="repeated-call")}
        s.send("PATCH", f"findings/{finding['noted']}", {"note": "look at this again"})
        s.send("PATCH", f"findings/{finding['confirmed']}", {"status": "confirmed"})
        s.send("PATCH", f"findings/{finding['dismissed']}", {"status": "dismissed"})
        s.send("POST", "runs/tags", {"ids": [run["tagged"]], "tag": "mine"})
        s.stop()
        with sqlite3.connect(s.db) as db:
            db.execute("INSERT INTO label (run, label_set, value, created_at) SELECT n, 'l', '1', '2026-01-01T00:00:00Z' FROM run WHERE external_id = 'labelled'")
            db.execute("INSERT INTO label (finding, label_set, value, created_at) SELECT n, 'l', '1', '2026-01-01T00:00:00Z' FROM finding WHERE id = ?", (finding["found-label"],))
        age(s, [n for n in names if n != "young"], 31)
        age(s, ["n0", "n1", "n2"], 365)
        s.start()
        s.ask("PATCH", "collections/own", {"keep": "5 weeks"}).problem(400, "90d, 12h, 5000runs or forever")
        assert s.send("PATCH", "collections/own", {"keep": "forever"})["keep"] == "forever"
        counted = s.send("POST", "prune", {"dry_run": True}, 202)
        assert counted == {"deleted": 2, "spared": 5, "over_bytes": 0}, counted
        assert s.get("collections/c")["runs"] == len(names)
        s.send("POST", "prune", {}, 202)
        job = next(j for j in s.all("jobs") if j["kind"] == "prune")
        assert s.get(f"jobs/{job['id']}", wait=30)["result"] == counted
        told = [(r["actor"], r["action"], r["target"], r["detail"]) for r in s.get("audit", limit=1000)["items"] if r["actor"].startswith("job:")]
        assert told == [("job:prune", "job:prune", s.get("collections/c")["id"], {"deleted_runs": 2})], told
        left = {r["external_id"] for r in s.all("collections/c/runs")}
        assert left == {"young", "labelled", "tagged", "noted", "confirmed", "found-label"}, left
        assert s.get("collections/own")["runs"] == 10
        s.send("PATCH", "collections/own", {"keep": "4runs"})
        s.stop()
        pruned = json.loads(subprocess.run([PROGRAM, "--db", s.db, "prune", "-c", "own", "--json"], capture_output=True, check=True).stdout)
        assert pruned["deleted"] == 6, pruned
        s.start()
        assert {r["external_id"] for r in s.all("collections/own/runs")} == {f"n{i}" for i in range(3, 7)}, [r["external_id"] for r in s.all("collections/own/runs")]


def test_what_ended_long_ago_is_forgotten():
    """Nothing grows without end: jobs, uploads that failed, the log of changes."""
    with Server() as s:
        s.collection()
        now = time.time()
        ended = {"young": ("import", 3, 80), "old": ("import", 2, 100), "failed": ("import", 3, 100), "judged": ("judge", 2, 100), "old-judged": ("judge", 2, 400),
                 "waits": ("import", 0, 400)}
        ids = {name: f"{i:08d}-1111-8111-8111-111111111111" for i, name in enumerate(ended)}
        s.stop()
        with sqlite3.connect(s.db) as db:
            for name, (kind, state, days) in ended.items():
                at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now - days * 86400))
                db.execute("INSERT INTO job (id, kind, collection, state, created_at, ended_at, begin_at, payload) SELECT ?, ?, id, ?, ?, ?, ?, '{}' FROM collection",
                           (ids[name], kind, state, at, None if state == 0 else at, int((now + 1e6) * 1e6) if state == 0 else 0))
                with open(os.path.join(s.db + ".spool", ids[name]), "w") as f:
                    f.write("{}")
            db.execute("DELETE FROM audit")
            for days in (800, 700):
                db.execute("INSERT INTO audit (at, actor, action) VALUES (?, 'ann', 'did it')", (int((now - days * 86400) * 1e6),))
        db.close()
        s.start()
        s.send("POST", "prune", {}, 202)
        job = next(j for j in s.all("jobs") if j["kind"] == "prune")
        assert s.get(f"jobs/{job['id']}", wait=30)["state"] == "done"
        assert {j["id"] for j in s.all("jobs")} - {job["id"]} == {ids[name] for name in ("young", "judged", "waits")}
        assert {ids["young"], ids["waits"]} <= set(s.spool()) and not {ids["old"], ids["failed"]} & set(s.spool()), s.spool()
        assert len(s.get("audit", actor="ann")["items"]) == 1


def test_a_collection_at_its_quota_takes_no_new_runs():
    with Server() as s:
        s.collection()
        s.ask("PATCH", "collections/c", {"quota": "90d"}).problem(400, "a number of runs")
        assert s.send("PATCH", "collections/c", {"quota": "3runs"})["quota"] == "3runs"
        done = s.upload(jsonl([chat(f"r{i}") for i in range(5)]))
        assert done["state"] == "done", done
        report = done["result"]
        assert report["runs"]["new"] == 3 and report["runs"]["rejected"] == 2 and sum(report["formats"].values()) == 3, report
        assert [x["code"] for x in report["errors"]] == ["quota_reached"] * 2 and all(x["location"] for x in report["errors"]), report
        full = s.ask("POST", "collections/c/uploads?filename=b", b"{}")
        full.problem(507, "quota allows, 3")
        assert full.json()["code"] == "quota_reached"
        span = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "chat", "startTimeUnixNano": "1", "endTimeUnixNano": "2",
                "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                               {"key": "gen_ai.prompt.0.role", "value": {"stringValue": "user"}},
                               {"key": "gen_ai.prompt.0.content", "value": {"stringValue": "hello"}}]}
        taken = s.send("POST", "collections/c/otlp/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]},
                       headers={"Content-Type": "application/json"})["partialSuccess"]
        assert taken["rejectedSpans"] == "0" and "quota allows, 3" in taken["errorMessage"], taken # a warning: the span is kept
        until = time.monotonic() + 20
        while not (built := [j for j in s.all("jobs") if j["kind"] == "build" and j["state"] == "done"]) and time.monotonic() < until:
            time.sleep(0.1)
        assert [x["code"] for x in built[0]["result"]["errors"]] == ["quota_reached"], built
        assert s.get("collections/c")["runs"] == 3
        assert s.send("PATCH", "collections/c", {"quota": "none"})["quota"] is None
        again = s.upload(jsonl([chat(f"r{i}") for i in range(5)]))["result"]
        assert again["runs"]["new"] == 2 and again["runs"]["duplicate"] == 3, again


def test_a_quota_of_bytes():
    """What the runs say, each its own though the words are stored once; added messages count too."""
    with Server() as s:
        s.collection()
        for wrong in ("10XB", "1GB,2GB", "5runs,", "0MB", "1GB,90d", ""):
            s.ask("PATCH", "collections/c", {"quota": wrong}).problem(400)
        assert s.send("PATCH", "collections/c", {"quota": "100runs, 1MB"})["bytes"] == 0
        words = "all of them say the same. " * 12000  # 312 kB
        report = s.upload(jsonl([chat(f"r{i}", words) for i in range(5)]))["result"]
        assert report["runs"]["new"] == 3 and [x["code"] for x in report["errors"]] == ["quota_reached"] * 2 and "1.0 MB" in report["errors"][0]["message"], report
        before = s.get("collections/c")["bytes"]
        assert 3 * len(words) <= before < 3 * len(words) + 1000
        run = s.all("collections/c/runs")[0]["id"]
        s.ask("POST", f"runs/{run}/messages", {"messages": [{"role": "user", "content": "x" * 200000}]}).problem(507, "delete runs or raise the quota")
        s.send("POST", f"runs/{run}/messages", {"messages": [{"role": "user", "content": "x" * 1000}]})
        assert s.get("collections/c")["bytes"] - before == 1000
        s.send("PATCH", "collections/c", {"quota": "500runs,0MB".replace("0MB", "1MB")})
        s.send("DELETE", f"runs/{run}", status=204)
        assert s.get("collections/c")["bytes"] == 2 * (before // 3)
        # One that is full is refused before its body is read.
        s.upload(jsonl([chat("more", "y" * (1 << 19))]))
        assert s.get("collections/c")["runs"] == 2
        s.upload(jsonl([chat("more", "y" * ((1 << 20) - s.get("collections/c")["bytes"] - 4))]))
        s.ask("POST", "collections/c/uploads?filename=b", b"{}").problem(507, "1.0 MB of the 1.0 MB")
        # An image that is not here may be said to be of any size.
        s.collection("d")
        images = [{"sha256": f"{i:064x}", "media_type": "image/png", "size": 2**63 - 1} for i in range(2)]
        report = s.upload(jsonl([{"id": f"r{i}", "messages": [{"role": "user", "content": "see", "blobs": images}]} for i in range(2)]), collection="d")["result"]
        assert report["runs"]["new"] == 2 and s.get("collections/d")["bytes"] == 4 * (2**32 - 1) + 6, (report, s.get("collections/d"))
        assert subprocess.run([PROGRAM, "--db", s.db, "check"], capture_output=True, timeout=60).returncode == 0


def test_a_full_database_takes_nothing_in_and_gives_room_back():
    words = random.Random(5)
    body = jsonl([chat(f"r{i}", " ".join(f"{words.getrandbits(64):x}" for _ in range(800))) for i in range(1200)])
    with Server("--max-db", "10MB") as s:
        s.collection()
        s.upload(body)
        until = time.monotonic() + 10
        while (a := s.ask("POST", "collections/c/uploads?filename=b", b"{}")).status != 507 and time.monotonic() < until:
            time.sleep(0.1)
        a.problem(507, "--max-db")
        assert a.json()["code"] == "disk_full", a.json()
        assert s.get("collections/c")["runs"] == 1200 and s.get("search", q="nothing")["items"] == []
        s.stop()
        size = os.path.getsize(s.db)
        pruned = json.loads(subprocess.run([PROGRAM, "--db", s.db, "prune", "--keep", "8MB", "--json"], capture_output=True, check=True).stdout)
        assert 100 < pruned["deleted"] < 1200 and pruned["over_bytes"] == 0, pruned
        assert os.path.getsize(s.db) >= size
        with sqlite3.connect(s.db) as db: # of one import the last go first, as lists have them
            left, places = db.execute("SELECT count(*), max(place) - min(place) + 1 FROM run").fetchone()
        assert left == places == 1200 - pruned["deleted"], (left, places)
        vacuumed = json.loads(subprocess.run([PROGRAM, "--db", s.db, "vacuum", "--json"], capture_output=True, check=True).stdout)
        assert os.path.getsize(s.db) == vacuumed["bytes"] <= 8 << 20 and vacuumed["given_back"] > 1 << 20, (size, vacuumed)
        s.start()
        s.upload(jsonl([chat("after")]))
        assert s.get("collections/c")["runs"] == 1200 - pruned["deleted"] + 1


def test_an_import_ends_where_the_database_is_full():
    words = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="telltale-http-") as folder:
        db, source = os.path.join(folder, "t.db"), os.path.join(folder, "runs.jsonl")
        with open(source, "w") as out:
            out.write(jsonl([chat(f"r{i}", " ".join(f"{words.getrandbits(64):x}" for _ in range(800))) for i in range(1200)]))
        done = subprocess.run([PROGRAM, "--db", db, "import", source, "-c", "c", "--jobs", "1", "--max-db", "6MB"], capture_output=True, timeout=60 * COST)
        assert done.returncode == 3 and b"--max-db" in done.stderr, done

        def stored():
            return json.loads(subprocess.run([PROGRAM, "--db", db, "collections", "--json"], capture_output=True, check=True).stdout)["items"][0]["runs"]

        assert 0 < stored() < 1200, stored()
        subprocess.run([PROGRAM, "--db", db, "import", source, "-c", "c", "--max-db", "1GB"], capture_output=True, timeout=60 * COST, check=True)
        assert stored() == 1200, "the same again does the rest"


def test_a_size_in_which_no_run_fits_is_refused():
    with tempfile.TemporaryDirectory(prefix="telltale-http-") as folder:
        for args in (["prune", "--keep", "3MB"], ["import", folder, "--max-db", "3MB"], ["serve", "--keep", "1MB"], ["serve", "--max-db", "2MB"]):
            done = subprocess.run([PROGRAM, "--db", os.path.join(folder, "t.db"), *args], capture_output=True, timeout=20)
            assert done.returncode == 2 and b"4MB or more" in done.stderr, (args, done)


def test_the_program_of_a_database_that_cannot_shrink_writes_it_anew():
    with Server() as s:
        s.collection()
        words = random.Random(6)
        s.upload(jsonl([chat(f"r{i}", " ".join(f"{words.getrandbits(64):x}" for _ in range(400))) for i in range(300)]))
        s.send("DELETE", "collections/c", status=204)
        s.stop()
        with sqlite3.connect(s.db) as db:                # as older programs made them
            db.execute("PRAGMA auto_vacuum = NONE")
            db.execute("VACUUM")
            db.execute("CREATE TABLE filler (x BLOB)")
            db.execute("INSERT INTO filler VALUES (zeroblob(3000000))")
        with sqlite3.connect(s.db) as db:
            db.execute("DROP TABLE filler")
        done = json.loads(subprocess.run([PROGRAM, "--db", s.db, "vacuum", "--json"], capture_output=True, check=True).stdout)
        assert done["given_back"] > 2 << 20 and os.path.getsize(s.db) == done["bytes"], done
        with sqlite3.connect(s.db) as db:
            assert db.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
