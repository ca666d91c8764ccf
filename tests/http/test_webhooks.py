"""Webhooks: what is told, how it is signed, that it is told again, and where none may go."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import sqlite3
import subprocess
import threading
import time

from server import PROGRAM, Server, chat, jsonl
from test_api import check, described
from test_judges import RUBRIC, Judging, done, runs

EVENTS = ["import.done", "findings.new", "judge.done", "job.failed"]


class Listener:
    """Answers with the statuses that it is given, then 200, and keeps what it was told."""

    def __init__(self, *answers):
        self.answers, self.told, self.heard = list(answers), [], threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.heard:
                    status = outer.answers.pop(0) if outer.answers else 200
                    outer.told.append((self.path, dict((k.lower(), v) for k, v in self.headers.items()), body))
                    outer.heard.notify_all()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", outer.url + "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, n, seconds=15):
        with self.heard:
            assert self.heard.wait_for(lambda: len(self.told) >= n, seconds), f"{len(self.told)} of {n} came"
            return self.told

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def checked(told, secret):
    """The payload, where the signature is that of Standard Webhooks 1.0."""
    _, headers, body = told
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode(), headers
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60 and headers["content-type"] == "application/json", headers
    return json.loads(body)


def settle(s, id, state, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        rows = s.get(f"webhooks/{id}/deliveries")["items"]
        if rows and all(r["state"] == state and r["ended_at"] for r in rows):
            return rows
        time.sleep(0.05)
    raise AssertionError(rows)


def test_webhooks_are_told_and_signed():
    ear = Listener()
    with Server("--private-webhooks") as s:
        doc = s.get("/openapi.json")
        s.collection()
        s.collection("other")
        made = s.send("POST", "webhooks", {"url": ear.url + "/all?key=a%20b"}, 201)
        check(made, described(doc, "/api/v1/webhooks", "post", 201), doc)
        assert made["events"] == EVENTS and made["secret"].startswith("whsec_") and not made["collection"], made
        elsewhere = s.send("POST", "webhooks", {"url": ear.url + "/other", "collection": "other", "events": ["import.done", "job.failed"]}, 201)
        assert elsewhere["collection"]["name"] == "other" and elsewhere["secret"] != made["secret"]
        # an import, and what it found: "ENOSPC" three times over is a finding of no rule, a missing program is
        flagged = {"id": "r1", "task_id": "t", "success": False, "messages": [
            {"role": "user", "content": "go"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "function": "bash", "arguments": {"cmd": "jq . x"}}]},
            {"role": "tool", "tool_call_id": "1", "function": "bash", "content": "bash: line 1: jq: command not found"}, {"role": "assistant", "content": "I cannot."}]}
        upload = s.upload(jsonl([flagged, chat("r2")]))
        found = s.get("collections/c/findings")["total"]
        assert found, "the run has a finding"
        told = sorted((checked(t, made["secret"]) for t in ear.wait(2)), key=lambda t: EVENTS.index(t["type"]))
        assert [t["type"] for t in told] == ["import.done", "findings.new"] and ear.told[0][0] == "/all?key=a%20b", ear.told
        done, new = (t["data"] for t in told)
        assert done["job"]["id"] == upload["job"] and done["result"]["runs"]["new"] == 2 and done["collection"]["name"] == "c", done
        assert new["total"] == found == sum(new["by_kind"].values()) and len(new["findings"]) == min(found, 10), new
        at = f"http://127.0.0.1:{s.port}"
        finding = s.get("findings/" + new["findings"][0]["id"])
        assert finding["run"] is None or new["findings"][0]["url"] == f"{at}/runs/{finding['run']['id']}?finding={finding['id']}", new
        assert done["url"].startswith(at + "/c/"), done["url"]
        # the same bytes again: done, and nothing new was found; into the other collection: both hear of it
        s.upload(jsonl([flagged, chat("r2")]))
        assert checked(ear.wait(3)[2], made["secret"])["type"] == "import.done"
        s.upload(jsonl([chat("r3")]), collection="other")
        paths = sorted(t[0] for t in ear.wait(5)[3:])
        assert paths == ["/all?key=a%20b", "/other"], paths
        checked(next(t for t in ear.told if t[0] == "/other"), elsewhere["secret"])
        # a job that fails; a test; a pause
        s.upload(b"\x00\x01", filename="x.tar.gz", collection="c", wait=30)
        assert not s.send("POST", f"webhooks/{made['id']}/test", {}, 202)["attempts"]
        tested = [t for t in (checked(t, made["secret"]) for t in ear.wait(7)[5:]) if t["type"] == "test"]
        assert len(tested) == 1 and tested[0]["data"]["webhook"] == made["id"], ear.told[5:]
        rows = settle(s, made["id"], "delivered")
        check(rows[0], described(doc, "/api/v1/webhooks/{id}/deliveries", "get", 200)["properties"]["items"]["items"], doc)
        paused = s.send("PATCH", f"webhooks/{made['id']}", {"paused": True, "events": ["job.failed"]})
        assert paused["paused"] and paused["events"] == ["job.failed"] and paused["delivered"] == len(rows) and paused["last_status"] == 200, paused
        count = len(ear.told)
        s.send("POST", f"webhooks/{made['id']}/test", {}, 202)
        time.sleep(0.3)
        assert len(ear.told) == count
        s.send("PATCH", f"webhooks/{made['id']}", {"paused": False})
        ear.wait(count + 1)
        # the secret stands nowhere: neither in the list, nor in the database
        assert all("secret" not in w for w in s.get("webhooks")["items"])
        for name in os.listdir(s.path):
            path = os.path.join(s.path, name)
            if os.path.isfile(path) and not name.endswith(".key"):
                data = open(path, "rb").read()
                assert made["secret"][6:].encode() not in data and base64.b64decode(made["secret"][6:]) not in data, name
        # over the command line
        listed = json.loads(subprocess.run([PROGRAM, "--db", s.db, "webhook", "--json"], capture_output=True, timeout=60).stdout)
        assert {w["id"] for w in listed} == {made["id"], elsewhere["id"]} if isinstance(listed, list) else len(listed["items"]) == 2, listed
        s.send("DELETE", f"webhooks/{made['id']}", status=204)
        s.ask("DELETE", f"webhooks/{made['id']}").problem(404)
        s.ask("POST", "webhooks/nothing/test", {}).problem(404)
        s.send("DELETE", "collections/other", status=204)
        assert not s.get("webhooks")["items"], "a collection takes its webhooks with it"
    ear.close()


def test_addresses_in_what_is_told_begin_with_the_page():
    ear = Listener()
    with Server("--private-webhooks", "--host", "telltale.example.net", "--behind-proxy", "loopback", "--insecure") as s:
        add = lambda *args: subprocess.run([PROGRAM, "--db", s.db, "webhook", "add", ear.url, *args], capture_output=True, timeout=60)
        assert b"--page" not in add("--page", "https://telltale.example.org/t//").stderr
        said = add().stderr.decode() # where the server is reached is not known to it
        assert "links begin with http://127.0.0.1:8787" in said and "--page URL" in said, said
        for wrong in ("telltale.example.org", "ftp://x", "https://", "https://x/?y"):
            assert add("--page", wrong).returncode == 2, wrong
            s.ask("POST", "webhooks", {"url": ear.url, "page": wrong}).problem(400, "page")
        there = {"Host": "telltale.example.net", "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"} # as a proxy with TLS passes it on
        assert s.ask("POST", "webhooks", {"url": ear.url}, there).json()["page"] == "https://telltale.example.net"
        assert s.send("POST", "webhooks", {"url": ear.url, "page": "https://a.example/b/"}, 201)["page"] == "https://a.example/b"
        pages = [w["page"] for w in s.get("webhooks")["items"]]
        assert "telltale.example.org/t " in subprocess.run([PROGRAM, "--db", s.db, "webhook"], capture_output=True, text=True, timeout=60).stdout
        s.collection()
        s.upload(jsonl([chat("a")]))
        told = {json.loads(body)["data"]["url"].partition("/c/")[0] for _, _, body in ear.wait(4)}
        assert told == set(pages) == {"https://telltale.example.org/t", "http://127.0.0.1:8787", "https://telltale.example.net", "https://a.example/b"}, told
    ear.close()


def test_who_does_not_answer_keeps_nobody_waiting():
    ear = Listener()
    with Server("--private-webhooks") as s, socket.create_server(("127.0.0.1", 0)) as silent:
        slow = s.send("POST", "webhooks", {"url": f"http://127.0.0.1:{silent.getsockname()[1]}"}, 201)
        for _ in range(12):
            s.send("POST", f"webhooks/{slow['id']}/test", {}, 202)
        held = silent.accept()
        quick = s.send("POST", "webhooks", {"url": ear.url}, 201)
        for _ in range(3):
            s.send("POST", f"webhooks/{quick['id']}/test", {}, 202)
        ear.wait(3, 8) # an attempt takes up to 15 s
        held[0].close()
    ear.close()


def test_webhooks_are_told_what_judges_said_and_what_failed():
    ear = Listener()
    with Judging(options=("--private-webhooks",)) as (s, model):
        s.collection()
        s.upload(runs(4))
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        made = s.send("POST", "webhooks", {"url": ear.url, "events": ["judge.done", "job.failed"]}, 201)
        wish = {"collection": "c", "rubric": "any-error"}
        job = done(s, s.send("POST", "judgments", wish, 202))
        told = checked(ear.wait(1)[0], made["secret"])
        data = told["data"]
        assert told["type"] == "judge.done" and data["job"] == {"id": job["id"], "kind": "judge", "state": "done", "error": None}, told
        assert data["result"]["calls"] == job["result"]["calls"] == 4 and data["result"]["stages"][0]["answered"] == 4, data["result"]
        assert data["collection"]["name"] == "c" and data["url"] == f"http://127.0.0.1:{s.port}/c/{data['collection']['id']}", data
        # the key is wrong now, and what was judged before is not asked again: another question
        model.set_plan({**model.plan, "key": "another"})
        s.send("PUT", "rubrics/any-error", {"text": RUBRIC.replace("something failed?", "anything at all failed?")})
        job = s.send("POST", "judgments", wish, 202)
        told = checked(ear.wait(2)[1], made["secret"])
        row, data = s.get(f"jobs/{job['id']}"), told["data"]
        assert row["state"] == "failed" and "401" in row["error"], row
        assert told["type"] == "job.failed" and data["job"] == {"id": job["id"], "kind": "judge", "state": "failed", "error": row["error"]}, told
        assert data["collection"]["name"] == "c" and data["url"].endswith("/jobs"), data
    ear.close()


def test_webhooks_are_told_again():
    """Refused, redirected, killed in between: told until it is taken, once for each id; and 410 ends it."""
    ear = Listener(500, 302, 410)
    with Server("--private-webhooks") as s:
        hook = s.send("POST", "webhooks", {"url": ear.url}, 201)
        s.send("POST", f"webhooks/{hook['id']}/test", {}, 202)
        ear.wait(1)
        row = settle(s, hook["id"], "waiting")[0]
        assert (row["status"], row["error"], row["attempts"]) == (500, "it answered 500", 1) and row["next_at"], row
        s.kill() # what waits is in the database
        s.start()
        first, second = ear.wait(2)[:2] # 5 s after the first
        assert first[1]["webhook-id"] == second[1]["webhook-id"] and int(second[1]["webhook-timestamp"]) >= int(first[1]["webhook-timestamp"]) + 4
        until = time.monotonic() + 5
        while (row := s.get(f"webhooks/{hook['id']}/deliveries")["items"][0])["status"] != 302 and time.monotonic() < until:
            time.sleep(0.05)
        assert row["status"] == 302 and row["attempts"] == 2 and all(t[0] == "/" for t in ear.told), (row, ear.told)
        s.send("POST", f"webhooks/{hook['id']}/test", {}, 202)
        ear.wait(3)
        until = time.monotonic() + 5
        while time.monotonic() < until and not (gone := s.get(f"webhooks/{hook['id']}/deliveries")["items"][0])["state"] == "failed":
            time.sleep(0.05)
        assert (gone["state"], gone["status"]) == ("failed", 410), gone
    ear.close()


def test_webhooks_wait_for_no_other():
    """One that takes connections and never answers, with more to be told than are told at a time, holds up no other."""
    ear, deaf = Listener(), socket.create_server(("127.0.0.1", 0))
    with Server("--private-webhooks") as s:
        hooks = [s.send("POST", "webhooks", {"url": url}, 201)["id"] for url in (f"http://127.0.0.1:{deaf.getsockname()[1]}", ear.url)]
        for id, n in zip(hooks, (12, 1)):
            s.send("PATCH", f"webhooks/{id}", {"paused": True})
            for _ in range(n):
                s.send("POST", f"webhooks/{id}/test", {}, 202)
        s.stop()
        with sqlite3.connect(s.db) as db:
            db.execute("UPDATE webhook SET paused = 0")
        db.close()
        s.start()
        ear.wait(1, 8)
    ear.close(), deaf.close()


def test_webhooks_go_nowhere_private():
    ear = Listener()
    port = ear.server.server_port
    with Server() as s:
        for url in ("ftp://x.example/", "http://", "file:///etc/passwd", "http://u:p@x.example/", "http://x.example/#a", "gopher://x", "http://x.example/?a b", "x",
                    "http://169.254.169.254/latest", "http://2852039166/", "http://[::ffff:169.254.169.254]/", "http://[::1/", "http://x.example:99999/", "http://exa mple/", "http://x.example/?a=\u00e9"):
            assert s.ask("POST", "webhooks", {"url": url}).problem(400), url
        for body in ({}, {"url": "http://x.example", "events": []}, {"url": "http://x.example", "events": ["x"]}, {"url": 3}, {"url": "http://x.example", "secret": "x"}):
            s.ask("POST", "webhooks", body).problem(400)
        s.ask("POST", "webhooks", {"url": "http://x.example", "collection": "nope"}).problem(404)
        hosts = ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f000001", "127.1", "10.0.0.1", "[64:ff9b::7f00:1]",
                 "[fe80::1]")
        for host in hosts:
            s.ask("POST", "webhooks", {"url": f"http://{host}:{port}/"}).problem(400, "--private-webhooks")
        # What the command line added, or a server that was started otherwise, is given up at once; what a name leads to may change.
        for host in hosts:
            subprocess.run([PROGRAM, "--db", s.db, "webhook", "add", f"http://{host}:{port}/"], capture_output=True, check=True, timeout=60)
        hooks = [hook["id"] for hook in s.get("webhooks")["items"]]
        name = s.send("POST", "webhooks", {"url": f"http://ear.localhost:{port}/"}, 201)["id"]
        assert len(hooks) == len(hosts)
        for id in (*hooks, name):
            s.send("POST", f"webhooks/{id}/test", {}, 202)
        for id in (*hooks, name):
            row = settle(s, id, "waiting" if id == name else "failed")[0]
            assert (row["status"], row["attempts"]) == (None, 1) and bool(row["next_at"]) == (id == name) and row["error"], row
            assert "--private-webhooks" in row["error"], row
        assert not ear.told, ear.told
    ear.close()
