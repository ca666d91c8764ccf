"""What keeps a server running: its settings, logs, figures, and what it throws away."""
import json
import os
import signal
import subprocess
import tempfile
import time

from server import PROGRAM, Server, chat, jsonl


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
                            ("serve: {workers: two}", "--workers takes a whole number, not 'two'"),
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
            assert s.send("POST", "reload", {}) == {"status": "reloaded"}
            assert findings({}) == set() # one that is named looks though it is off
