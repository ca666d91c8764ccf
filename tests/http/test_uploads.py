"""Uploads: whole, once, and never more than there is room for."""
import gzip
import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import zlib

from server import ROOT, Server, chat, jsonl


def test_an_upload_becomes_runs():
    with Server() as s:
        s.collection()
        u = s.upload(jsonl([chat("1", task_id="t", success=True), chat("2", task_id="t", success=False)]), "night.jsonl")
        assert u["state"] == "done" and u["id"] == u["job"] and u["filename"] == "night.jsonl" and u["error"] is None
        assert u["result"]["runs"] == {"new": 2, "updated": 0, "duplicate": 0, "rejected": 0} and u["result"]["collection"]["name"] == "c"
        assert set(u["result"]) >= {"collection", "files", "runs", "messages", "bytes", "seconds", "formats", "repairs", "findings", "errors"}
        assert s.get(f"uploads/{u['id']}") == u
        runs = s.get("collections/c/runs")["items"]
        assert {(r["external_id"], r["source"]["file"]) for r in runs} == {("1", "night.jsonl"), ("2", "night.jsonl")}
        assert s.spool() == []
        assert s.get(f"jobs/{u['id']}")["kind"] == "import"


def test_one_run_takes_only_so_much_memory():
    most = 500000
    tiny = '{"role":"user","content":"."}'
    with Server() as s:
        s.collection()
        s.upload(jsonl([chat("small")]), "small.jsonl")
        before = rss(s)
        many = '{"id":"endless","messages":[' + ",".join([tiny] * (most + 100000)) + "]}\n"
        u = s.upload(many + json.dumps(chat("next")), "many.jsonl", wait=60)
        assert u["state"] == "done" and u["result"]["runs"]["new"] == 1 and u["result"]["runs"]["rejected"] == 1, u
        error, = u["result"]["errors"]
        assert error["message"] == 'the run "endless" has more than 500000 messages, and one run may have no more' and error["location"] == "line 1", error
        calls = {"role": "assistant", "content": "", "tool_calls": [{}] * (most + 1)}
        u = s.upload(jsonl([{"id": "calls", "messages": [{"role": "user", "content": "go"}, calls]}]), "calls.jsonl", wait=60)
        assert "tool calls in one message" in u["result"]["errors"][0]["message"], u
        run = s.get("collections/c/runs?q=small")["items"][0]
        s.ask("POST", f"runs/{run['id']}/messages", "[" + ",".join([tiny] * (most + 1)) + "]", {"Content-Type": "application/json"}).problem(413, "more than 500000 messages")
        assert s.get(f"runs/{run['id']}")["messages"] == run["messages"]
        assert rss(s) < before + 700, f"{rss(s) - before} MB more"


def test_labels_of_the_source_are_part_of_a_run():
    with Server() as s:
        s.collection()
        note = {"content": "here", "address": "messages[1].content:0-2", "time_created": "2026-01-02T03:04:05Z"}
        s.upload(jsonl([{**chat("1", index=1), "annotations": [note]}]), "notes.jsonl")
        run = s.get("collections/c/runs")["items"][0]
        label, = s.get(f"runs/{run['id']}")["labels"]
        assert (label["set"], label["who"], label["when"], label["value"]["note"]) == ("annotations", None, "2026-01-02T03:04:05Z", "here"), label
        assert label["value"]["evidence"] == {"transcript": "0", "message": 1, "part": "text", "start": 0, "end": 2, "quote": "do"}, label
        detail = s.get("/openapi.json")["components"]["schemas"]["RunDetail"]
        assert set(detail["properties"]["labels"]["items"]["properties"]) == set(label)


def test_a_table_is_read_as_map_says():
    with Server() as s:
        s.collection()
        table = "who,words\nuser,hello\nassistant,hi\n"
        plain = s.upload(table, "t.csv")
        assert plain["result"]["files"]["skipped"] == 1 and "--map" in plain["result"]["errors"][0]["message"], plain
        wrong = s.upload(table, "t.csv", map="content=text,role=who")
        assert 'no column "text" for content; the columns are who, words' in wrong["result"]["errors"][0]["message"], wrong
        refused = s.upload(table, "t.csv", map="bogus=words", status=400)
        assert 'no field "bogus"' in refused["detail"], refused
        good = s.upload(table, "t.csv", map="content=words,role=who")
        assert good["result"]["formats"] == {"csv": 1} and good["result"]["messages"] == 2, good


def test_without_waiting_it_is_accepted_and_can_be_asked_about():
    with Server() as s:
        s.collection()
        u = s.upload(jsonl([chat(str(i)) for i in range(50)]), wait=0, status=202)
        assert u["state"] in ("queued", "running", "done")
        assert s.get(f"uploads/{u['id']}", wait=30)["state"] == "done"
        s.get("uploads/00000000-0000-4000-8000-000000000000", status=404)
        job = s.send("POST", "collections/c/scans", {}, 202)
        s.get(f"uploads/{job['id']}", status=404)


def test_what_comes_again_changes_nothing():
    with Server() as s:
        s.collection()
        text = jsonl([chat("1"), chat("2")])
        s.upload(text)
        assert s.upload(text)["result"]["runs"] == {"new": 0, "updated": 0, "duplicate": 2, "rejected": 0}
        assert s.upload(text, "other.jsonl")["result"]["runs"]["duplicate"] == 2
        assert s.get("collections/c/runs", count=1)["total"] == 2


def test_changed_content_replaces_only_when_asked():
    with Server() as s:
        s.collection()
        s.upload(jsonl([chat("1", "old")]))
        assert s.upload(jsonl([chat("1", "new")]))["result"]["runs"]["new"] == 1
        assert s.get("collections/c/runs", count=1)["total"] == 2
        assert s.upload(jsonl([chat("1", "newer")]), replace=1)["result"]["runs"]["updated"] == 1
        assert s.get("collections/c/runs", count=1)["total"] == 2


def test_an_idempotency_key_gives_the_first_answer():
    with Server() as s:
        s.collection()
        s.collection("d")
        key = {"Idempotency-Key": "abc"}
        first = s.upload(jsonl([chat("1")]), headers=key)
        again = s.upload(jsonl([chat("1")]), headers=key)
        assert again["id"] == first["id"] and s.get("collections/c/runs", count=1)["total"] == 1
        p = s.ask("POST", "collections/c/uploads?wait=5", jsonl([chat("2")]).encode(), key).problem(422, "another body", first["id"])
        assert p["code"] == "idempotency_key_reused" and s.get("collections/c/runs", count=1)["total"] == 1
        assert s.upload(jsonl([chat("1")]), collection="d", headers=key)["id"] != first["id"]
        assert s.spool() == []
        ids = []
        threads = [threading.Thread(target=lambda: ids.append(s.upload(jsonl([chat("3")]), headers={"Idempotency-Key": "k"})["id"])) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert len(ids) == 8 and len(set(ids)) == 1, ids


def test_a_connection_cut_anywhere_leaves_one_copy():
    """In the head, in the body, behind its last byte, before and after the answer: sent again with the same key it is there once."""
    with Server() as s:
        s.collection()
        for i, body in enumerate(jsonl([chat(f"cut-{i}", "word " * 400)]).encode() for i in range(3)):
            request = (f"POST /api/v1/collections/c/uploads?filename=cut-{i}.jsonl&wait=5 HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\nIdempotency-Key: cut-{i}\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n").encode() + body
            for at in (20, len(request) - len(body) // 2, len(request) - 1, len(request), len(request)):
                with socket.create_connection(("127.0.0.1", s.port), timeout=10) as c:
                    c.sendall(request[:at])
                    if i == 1: # cut hard: what it had not read is lost
                        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    if i == 2 and at == len(request):
                        c.recv(1)
            s.upload(body, filename=f"cut-{i}.jsonl", headers={"Idempotency-Key": f"cut-{i}"})
        assert s.get("collections/c/runs", count=1)["total"] == 3
        assert [j["state"] for j in s.all("jobs")] == ["done"] * 3
        deadline = time.monotonic() + 5 # the server notices by and by that a connection is cut
        while s.spool() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert s.spool() == []


def test_compressed_bodies_are_read():
    with Server() as s:
        s.collection()
        text = jsonl([chat("1")]).encode()
        for name, body in (("gzip", gzip.compress(text)), ("zstd", subprocess.run(["zstd", "-c"], input=text, capture_output=True).stdout if shutil.which("zstd") else None)):
            if body is None:
                print("NOT RUN: zstd is not installed")
                continue
            s.collection(name)
            assert s.upload(body, collection=name, headers={"Content-Encoding": name})["result"]["runs"]["new"] == 1
            again = s.upload(text, "plain", collection=name)
            assert again["result"]["runs"] == {"new": 0, "updated": 0, "duplicate": 1, "rejected": 0}, "the bytes are what counts, not how they came"
        s.ask("POST", "collections/c/uploads", gzip.compress(text)[:-5], {"Content-Encoding": "gzip"}).problem(400, "ends in the middle")
        s.ask("POST", "collections/c/uploads", text, {"Content-Encoding": "gzip"}).problem(400, "damaged")
        for headers in ({"Content-Encoding": "br"}, {"Content-Encoding": "gzip, gzip"}, {"Content-Type": "multipart/form-data; boundary=x"}):
            s.ask("POST", "collections/c/uploads", text, headers).problem(415)
        assert s.spool() == []


def test_what_cannot_be_read_is_named():
    with Server() as s:
        s.collection()
        u = s.upload(jsonl([chat("1")]) + '{"id": "2", "messages": "no"}\n{broken\n' + jsonl([chat("3")]))
        assert u["state"] == "done" and u["result"]["runs"]["new"] == 2 and len(u["result"]["errors"]) >= 1, u
        assert all(e["code"] and e["message"] and e["location"] for e in u["result"]["errors"])
        u = s.upload("just words, no transcript\n" * 20, "notes.txt")
        assert u["state"] == "done" and u["result"]["runs"]["new"] == 0 and u["result"]["files"]["skipped"] == 1, u


def test_wrong_uploads_are_refused_and_leave_nothing():
    with Server() as s:
        s.collection()
        s.ask("POST", "collections/c/uploads").problem(400, "empty")
        s.ask("POST", "collections/none/uploads", b"x").problem(404)
        s.ask("POST", "collections/c/uploads?format=nope", b"x").problem(400, "nope")
        s.ask("POST", "collections/c/uploads?filename=", b"x").problem(400, "filename")
        s.ask("POST", "collections/c/uploads?wait=-1", b"x").problem(400, "wait")
        s.ask("GET", "collections/c/uploads").problem(405)
        assert s.spool() == [] and s.get("jobs")["items"] == []


def test_a_bomb_is_refused_while_it_comes():
    with Server() as s:
        s.collection()
        before = rss(s)
        pack = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = b"".join(pack.compress(b"\0" * (1 << 20)) for _ in range(256)) + pack.flush()
        s.ask("POST", "collections/c/uploads", bomb, {"Content-Encoding": "gzip"}).problem(413, "1000 times")
        s.ask("POST", "collections/c/uploads", gzip.compress(b"\0" * (3 << 20)), {"Content-Encoding": "gzip"}).problem(413, "1000 times")
        if shutil.which("zstd"):
            bomb = subprocess.run(["zstd", "-c"], input=b"\0" * (200 << 20), capture_output=True).stdout
            s.ask("POST", "collections/c/uploads", bomb, {"Content-Encoding": "zstd"}).problem(413, "1000 times")
            wide = subprocess.run(["zstd", "-c", "--long"], input=b"\0" * (10 << 20), capture_output=True).stdout
            s.ask("POST", "collections/c/uploads", wide, {"Content-Encoding": "zstd"}).problem(400, "window")
        assert s.spool() == [] and rss(s) < before + 150, "memory grew with what was refused"


def test_a_piece_that_unpacks_to_much_is_read_in_turns():
    with Server() as s:
        s.collection()
        rows = [chat(f"{i}", os.urandom(200).hex() + "hello " * 16000) for i in range(100)]
        body = gzip.compress(jsonl(rows).encode())
        assert len(body) < 10_000_000 / 100, len(body)
        u = s.upload(body, "repeats.jsonl", headers={"Content-Encoding": "gzip"})
        assert u["state"] == "done" and u["result"]["runs"]["new"] == 100, u


def test_what_unpacks_bodies_counts_as_their_memory():
    wide = b"\x28\xb5\x2f\xfd\x00\x68" + b"\x52\x00\x00x"  # a frame with a window of 8 MB, and a block of ten bytes
    with Server() as s:
        s.collection()
        head = (f"POST /api/v1/collections/c/uploads HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\nContent-Encoding: zstd\r\n"
                f"Content-Length: {len(wide)}\r\n").encode()
        half = []
        for _ in range(40):
            c = s.connect()
            c.sendall(head + b"\r\n" + wide[:-1])
            half.append(c)

        def until(status, words):
            deadline = time.time() + 20
            while b" %d " % status not in (got := s.raw(head + b"Connection: close\r\n\r\n" + wide)).split(b"\r\n")[0]:
                assert time.time() < deadline, got
                time.sleep(0.05)
            assert words in got, got

        until(503, b"Retry-After")
        for c in half:
            c.close()
        until(400, b"in the middle")


def test_a_running_upload_says_how_far_it_is():
    with Server("--workers", "1") as s:
        s.collection()
        body = jsonl([chat("%04d" % i, os.urandom(6000).hex(" ")) for i in range(4000)])
        u = s.upload(body, "large.jsonl", wait=0, status=202)
        seen = []
        while (state := s.get(f"uploads/{u['id']}"))["state"] in ("queued", "running"):
            if state["progress"]:
                seen.append(state["progress"])
            time.sleep(0.05)
        assert state["state"] == "done"
        middle = [p for p in seen if 0 < p["bytes"] < len(body)]
        assert middle and all(p["total"] == len(body) for p in seen) and any(p["runs"] for p in middle), (len(seen), seen[-3:])
        job, = s.get("jobs")["items"]
        assert job["filename"] == "large.jsonl"


def rss(s):
    with open(f"/proc/{s.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def test_an_upload_over_the_limit_is_refused():
    with Server("--max-upload", "1") as s:
        s.collection()
        before = rss(s)
        s.ask("POST", "collections/c/uploads", b"x" * (3 << 20)).problem(413)
        # Told to be far too large: refused before it is sent.
        with socket.create_connection(("127.0.0.1", s.port), timeout=10) as c:
            c.sendall(f"POST /api/v1/collections/c/uploads HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\nContent-Length: {1 << 40}\r\n\r\n".encode())
            assert b" 413 " in c.recv(65536)
        c = http.client.HTTPConnection("127.0.0.1", s.port)
        c.request("POST", "/api/v1/collections/c/uploads", (b"x" * 65536 for _ in range(64)), headers={"Transfer-Encoding": "chunked"}, encode_chunked=True)
        r = c.getresponse()
        assert r.status == 413 and json.loads(r.read())["code"] == "too_large"
        c.close()
        assert s.spool() == []
        assert s.upload(jsonl([chat("1")]))["state"] == "done"
        assert rss(s) < before + 100, "memory grew with what was refused"


def test_where_there_is_no_collection_no_body_is_read():
    """Of any call that has a collection in its path; spans make theirs, and so are read."""
    with Server() as s:
        s.collection()
        def asks(method, path, *lines, body=b""):
            with s.connect(5) as c:
                c.sendall("\r\n".join([f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{s.port}", *lines, "\r\n"]).encode() + body)
                return c.recv(4096).split(b"\r\n")[0].decode()
        long, waits = f"Content-Length: {300 << 20}", "Expect: 100-continue"
        for path in ("/api/v1/collections/nowhere/uploads", "/rest/nowhere/agent_runs"):
            for lines in ((long,), (long, waits), ("Content-Length: 9", waits), ("Transfer-Encoding: chunked", waits)):
                assert asks("POST", path, *lines) == "HTTP/1.1 404 Not Found", (path, lines)
        for method, path in (("PATCH", "/api/v1/collections/nowhere"), ("POST", "/api/v1/collections/nowhere/scans"), ("DELETE", "/rest/nowhere/agent_runs")):
            assert asks(method, path, "Content-Length: 9", waits) == "HTTP/1.1 404 Not Found", path
        assert asks("POST", "/api/v1/collections/c/uploads", "Content-Length: 9", waits) == "HTTP/1.1 100 Continue"
        assert asks("POST", "/api/v1/collections/made/otlp/v1/traces", "Content-Length: 2", "Content-Type: application/json", waits) == "HTTP/1.1 100 Continue"
        spans = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "5" * 32, "spanId": "5" * 16, "name": "chat", "startTimeUnixNano": "1"}]}]}]}
        assert s.ask("POST", "collections/made/otlp/v1/traces", spans, {"Content-Type": "application/json"}).status == 200
        assert s.get("collections/made")["name"] == "made"


def test_chunked_uploads_arrive_whole():
    with Server() as s:
        s.collection()
        rows = jsonl([chat(str(i), "word " * 200) for i in range(2000)]).encode()
        c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=60)
        c.request("POST", "/api/v1/collections/c/uploads?wait=60", (rows[i:i + 7777] for i in range(0, len(rows), 7777)), headers={"Transfer-Encoding": "chunked"}, encode_chunked=True)
        u = json.loads(c.getresponse().read())
        assert u["result"]["runs"]["new"] == 2000 and u["result"]["bytes"] == len(rows), u
        c.close()


def test_a_client_that_leaves_leaves_nothing():
    with Server() as s:
        s.collection()
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", s.port)) as c:
                c.sendall(f"POST /api/v1/collections/c/uploads HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\nContent-Length: 500000\r\n\r\n".encode() + b"x" * 100000)
        until = time.monotonic() + 5
        while s.spool() and time.monotonic() < until:
            time.sleep(0.05)
        assert s.spool() == [] and s.get("jobs")["items"] == []


def test_a_client_that_leaves_while_it_waits_harms_nothing():
    with Server() as s:
        s.collection()
        body = jsonl([chat(str(i), "word " * 500) for i in range(3000)]).encode()
        for i in range(5):
            with socket.create_connection(("127.0.0.1", s.port)) as c:
                c.sendall(f"POST /api/v1/collections/c/uploads?wait=30&filename={i} HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        until = time.monotonic() + 60
        while (len(s.get("jobs")["items"]) < 5 or any(j["state"] != "done" for j in s.get("jobs")["items"])) and time.monotonic() < until:
            time.sleep(0.1)
        assert s.get("collections/c")["runs"] == 3000 * 1, s.get("jobs")


def test_many_at_one_time_all_arrive():
    with Server() as s:
        s.collection()
        states = []

        def one(i):
            states.append(s.upload(jsonl([chat(f"{i}-{k}") for k in range(20)]), f"f{i}.jsonl", wait=60)["state"])

        threads = [threading.Thread(target=one, args=(i,)) for i in range(50)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert states == ["done"] * 50
        assert s.get("collections/c/runs", limit=1, count=1)["total"] == 1000


def test_jobs_can_be_cancelled():
    with Server("--workers", "1") as s:
        s.collection()
        large = jsonl([chat("%04d" % i, os.urandom(3000).hex(" ")) for i in range(3000)])
        # Three of one size take turns and keep the workers; the fourth stays in the queue.
        first, second, third = (s.upload(large.replace('"id": "', f'"id": "{k}-'), f"{k}", wait=0, status=202)["id"] for k in range(3))
        fourth = s.upload(jsonl([chat("x")]), "x", wait=0, status=202)["id"]
        assert s.send("DELETE", f"jobs/{fourth}")["state"] == "cancelled"
        assert s.ask("DELETE", f"jobs/{second}").status == 200
        ends = [s.get(f"jobs/{job}", wait=50)["state"] for job in (first, second, third, fourth)]
        assert ends == ["done", "cancelled", "done", "cancelled"], ends
        assert s.spool() == [] and s.get("collections/c")["runs"] == 6000
        s.ask("DELETE", f"jobs/{first}").problem(409)
        s.ask("DELETE", "jobs/00000000-0000-4000-8000-000000000000").problem(404)


def test_the_folder_of_uploads_is_made_again_or_said_to_be_missing():
    with Server() as s:
        s.collection()
        folder = s.db + ".spool"
        shutil.rmtree(folder)
        assert s.ask("GET", "/readyz").status == 200 and oct(os.stat(folder).st_mode)[-3:] == "700"
        shutil.rmtree(folder)
        assert s.upload(jsonl([chat("1")]))["state"] == "done"
        shutil.rmtree(folder)
        open(folder, "w").close() # no folder can be made in its place
        for answer in (s.ask("POST", "collections/c/uploads", jsonl([chat("2")]).encode()), s.ask("GET", "/readyz"),
                       s.ask("GET", "collections/c/export")):
            answer.problem(503, "cannot write to its disk, and its log says why")
            assert answer.json()["code"] == "busy" and s.path not in answer.body.decode(), answer.body
        assert s.said(1 << 30).count(f"cannot write to {folder}: Not a directory") == 1, s.said()
        os.remove(folder)
        assert s.upload(jsonl([chat("2")]))["state"] == "done"


def small_disk(folder, size):
    """True when a file system of that size could be mounted there (as root, in a container that may)."""
    if os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True).returncode == 0:
        return True
    print("NOT RUN: a small file system cannot be mounted here")
    return False


def test_a_full_disk_is_said_and_survived():
    with tempfile.TemporaryDirectory(prefix="telltale-full-") as folder:
        spool = os.path.join(folder, "t.db.spool")
        os.mkdir(spool)
        if not small_disk(spool, "2m"):
            return
        try:
            with Server(folder=folder) as s:
                s.collection()
                s.ask("POST", "collections/c/uploads?wait=5", b"x" * (5 << 20)).problem(507)
                assert s.spool() == []
                assert s.get("collections/c")["runs"] == 0
                assert s.upload(jsonl([chat("1")]))["state"] == "done"
                filler = os.path.join(spool, "filler")
                with open(filler, "wb") as f:
                    f.write(b"x" * (3 << 19))
                s.ask("GET", "/readyz").problem(503) # some blocks can be written, but no upload with its job
                os.remove(filler)
                assert s.ask("GET", "/readyz").status == 200
        finally:
            subprocess.run(["umount", spool])


def test_an_import_waits_for_room():
    with tempfile.TemporaryDirectory(prefix="telltale-full-") as folder:
        if not small_disk(folder, "40m"):
            return
        try:
            with Server(folder=folder) as s:
                s.collection()
                filler = os.path.join(folder, "filler")
                free = os.statvfs(folder)
                with open(filler, "wb") as f:
                    f.write(b"x" * (free.f_bavail * free.f_frsize - (11 << 20)))
                u = s.upload(jsonl([chat(str(i), os.urandom(5000).hex(" ")) for i in range(550)]), wait=0, status=202)
                until = time.monotonic() + 30
                while not (state := s.get(f"uploads/{u['id']}"))["error"] and time.monotonic() < until:
                    time.sleep(0.1)
                assert state["state"] == "queued" and "full" in state["error"] and "waits" in s.said(1 << 20), (state, s.said())
                assert len(s.spool()) == 1 and s.get("collections")["items"][0]["name"] == "c"
                os.unlink(filler)
                assert s.get(f"uploads/{u['id']}", wait=30)["state"] == "done", s.said()
                assert s.get("collections/c")["runs"] == 550 and s.spool() == []
        finally:
            subprocess.run(["umount", folder])


def test_two_servers_share_one_database():
    with Server() as one:
        one.collection()
        with Server(folder=one.path) as two:
            uploads = [(one, two)[i % 2].upload(jsonl([chat(f"{i}-{k}", "word " * 100) for k in range(50)]), f"{i}", wait=0, status=202) for i in range(40)]
            for i, u in enumerate(uploads):
                assert (two, one)[i % 2].get(f"uploads/{u['id']}", wait=60)["state"] == "done"
            assert two.get("collections/c")["runs"] == 40 * 50
        assert one.spool() == []
