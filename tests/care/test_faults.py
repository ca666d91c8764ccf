"""Kills, full disks, broken disks, clocks: what was acknowledged is there once, what is there is whole, and the server goes on."""
import collections
import gzip
import io
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
import zipfile

import test_otlp as otlp
from database import PROGRAM, run
from faults import env
from server import Server, chat, jsonl

RUNS = 40
KILLS = 4 # make soak takes every write



def runs_file(folder, n=RUNS):
    path = os.path.join(folder, "runs.jsonl")
    with open(path, "w") as out:
        out.write(jsonl([chat(f"r{i}", f"word{i} " * (i * 37 % 900 + 1), task_id=f"t{i % 7}") for i in range(n)]))
    return path


class Place:
    """A folder with runs to import, and how many writes one whole import takes."""

    def __init__(self):
        import tempfile
        self.folder = tempfile.TemporaryDirectory(prefix="telltale-fault-")
        self.path = self.folder.name
        self.runs = runs_file(self.path)
        self.db = os.path.join(self.path, "t.db")
        whole, count = os.path.join(self.path, "whole.db"), os.path.join(self.path, "count")
        run(whole, "import", self.runs, "-c", "c", env=env(whole, count=count, syncs=1))
        self.writes = int(open(count).read())
        self.export = self.exported(whole)

    def exported(self, db):
        """All runs, but for the names that are given at random and the times."""
        lines = [json.loads(line) for line in run(db, "export", "-c", "c").stdout.splitlines()[1:]]
        return sorted(json.dumps([r["external_id"], r["task_id"], r["transcripts"][0]["messages"]]) for r in lines)

    def fresh(self):
        for f in os.listdir(self.path):
            if f.startswith("t.db"):
                os.remove(os.path.join(self.path, f))

    def points(self, n):
        """n of the writes, the first among them."""
        return sorted({1 + round(i * (self.writes - 1) / n) for i in range(n)})

    def is_whole(self):
        """The same import again gives all, once, and nothing half is there."""
        run(self.db, "import", self.runs, "-c", "c")
        assert json.loads(run(self.db, "check", "--json").stdout)["ok"]
        assert self.exported(self.db) == self.export


def killed_at(place, n):
    place.fresh()
    done = subprocess.run([PROGRAM, "--db", place.db, "import", place.runs, "-c", "c", "--quiet"], capture_output=True, env=env(place.db, kill=n, syncs=1))
    assert done.returncode in (-9, 0), done
    place.is_whole()
    return done.returncode == -9


def failed_at(place, n, how, syncs=1):
    place.fresh()
    done = run(place.db, "import", place.runs, "-c", "c", status=None, env=env(place.db, at=f"{n}:{how}", syncs=syncs))
    if how == "SHORT":
        assert done.returncode == 0, done
    elif done.returncode: # a write after all is acknowledged may fail: the checkpoint is made later
        assert done.returncode == 3 and done.stderr.strip(), (n, done)
        assert how not in ("ENOSPC", "EDQUOT") or any(word in done.stderr for word in (b"full", b"No space", b"quota")), (n, done)
    place.is_whole()
    return done.returncode == 3


def test_killed_at_the_nth_write():
    place = Place()
    assert place.writes > 15, place.writes
    assert sum(killed_at(place, n) for n in place.points(KILLS)) >= KILLS - 1


def test_each_write_fails_from_the_nth_on():
    place = Place()
    for how, points in (("ENOSPC", 3), ("EIO", 2), ("SHORT", 1)):
        failed = sum(failed_at(place, n, how) for n in place.points(points))
        assert failed >= points - 1 or how == "SHORT", (how, failed)


def test_no_room_is_named_wherever_it_shows():
    """A file system may take a write and find at its sync that there is no room, and a quota is no full disk."""
    place = Place()
    assert sum(failed_at(place, n, "ENOSPC", syncs="only") for n in range(1, 5)) >= 3
    assert all(failed_at(place, n, "EDQUOT") for n in (1, 3, place.writes // 2)) # the first ones make the database


class Faulty(Server):
    """A server whose writes (`temp`: of temporary files) fail while self.fault says so, and whose clock is off by what self.clock says."""

    def __init__(self, *options, temp=False):
        import tempfile
        self.at = tempfile.TemporaryDirectory(prefix="telltale-fault-")
        self.temp = os.path.join(self.at.name, "temp")
        os.mkdir(self.temp)
        self.faulty_temp = temp
        self.fault_file, self.clock_file = (os.path.join(self.at.name, f) for f in ("fault", "clock"))
        self.plain = dict(os.environ)
        super().__init__(*options)

    def start(self):
        os.environ.update(env(self.temp if self.faulty_temp else self.db, file=self.fault_file, clock=self.clock_file), TMPDIR=self.temp)
        try:
            super().start()
        finally:
            os.environ.clear()
            os.environ.update(self.plain)

    def fault(self, word):
        self.say(self.fault_file, word)

    def clock(self, seconds):
        self.say(self.clock_file, str(seconds))

    def say(self, path, word):
        with open(path + ".new", "w") as out:
            out.write(word)
        os.rename(path + ".new", path)


def states(s):
    return collections.Counter(job["state"] for job in s.all("jobs", limit=1000))


def wait_for(what, wanted, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what() == wanted:
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what()}")


def test_a_disk_that_is_full_for_a_while():
    with Faulty() as s:
        s.collection()
        s.upload(jsonl([chat("first", "words")]))
        for word, status, code in (("ENOSPC", 507, "disk_full"), ("EIO", 500, "io")):
            s.fault(word)
            for path, body in (("collections/c/uploads?filename=x", jsonl([chat("lost")]).encode()), ("collections", {"name": word})):
                answer = s.ask("POST", path, body)
                assert (answer.status, answer.json()["code"]) == (status, code), (word, path, answer.status, answer.body)
                assert s.path not in answer.body.decode(), "where the server's files are is told in its log"
            assert s.get("collections/c/runs")["total"] == 1 and s.get("search", q="words")["items"], "reads go on"
            assert s.ask("GET", "/healthz").status == 200
            s.fault("")
            assert s.send("POST", "collections", {"name": word}, 201)["name"] == word, "it recovers without a restart"
        assert s.spool() == [], "what was refused leaves nothing behind"
        # What was accepted when the disk filled waits, and is read when there is room.
        for word in ("ENOSPC", "SHORT"):
            body = jsonl([chat(f"{word}{i}", f"w{i} " * 2000) for i in range(300)]).encode()
            assert s.ask("POST", f"collections/c/uploads?filename={word}", body).status == 202
            s.fault(word)
            time.sleep(0.5 if word == "SHORT" else 2.2)
            s.fault("")
            wait_for(lambda: set(states(s)), {"done"})
            if word == "ENOSPC":
                assert s.said(1 << 30).count("cannot renew the lease") == 1, s.said()
                assert "leases of jobs can be renewed again" in s.said(1 << 30), s.said()
        assert s.get("collections/c/runs")["total"] == 601
        assert json.loads(run(s.db, "check", "--json").stdout)["ok"]


def nested(name, words):
    """A zip with a packed file in it, which goes to the temporary folder to be read."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(f"{name}.jsonl.gz", gzip.compress(jsonl([chat(name, words)]).encode()))
    return out.getvalue()


def test_a_temporary_folder_that_is_full():
    """Room that an upload needs for itself is not waited for: its job fails and says where, its bytes are kept, and others have their turn."""
    with Faulty(temp=True) as s:
        s.collection()
        s.fault("ENOSPC")
        uploads = [s.upload(nested(f"n{i}", "words " * 99 * i), filename=f"n{i}.zip", wait=20) for i in range(1, 4)]
        for u in uploads:
            assert u["state"] == "failed" and s.temp in u["error"] and "TMPDIR" in u["error"] and "make room" in u["error"], u
        assert s.upload(jsonl([chat("plain")]).encode(), filename="plain")["state"] == "done" and len(s.spool()) == 3
        s.fault("")
        for u in uploads:
            s.send("POST", f"jobs/{u['id']}/retry", {})
            assert s.get(f"jobs/{u['id']}", wait=20)["state"] == "done"
        assert s.get("collections/c/runs")["total"] == 4 and s.spool() == []


def test_traces_wait_for_room_that_their_build_takes():
    """Large when it is written out, a trace fills a small disk by itself: it is not given up for that."""
    import tempfile
    with tempfile.TemporaryDirectory(prefix="telltale-small-") as folder:
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", folder], capture_output=True).returncode != 0:
            print("NOT RUN: a small disk takes the right to mount a tmpfs")
            return
        try:
            with Server(folder=folder) as s:
                words = "the same words again " * 10000
                for i in range(8):
                    call = otlp.model_call(otlp.trace_id(1), f"{i + 1:016x}", i, [("user", f"{i} {words} {i} {words} {words} {words} {words}")], "yes", "00000000000000ff")
                    otlp.send(s, otlp.export(call), {**otlp.JSON, "X-Telltale-Collection": "spans"})
                jobs = lambda: [j for j in s.all("jobs") if j["kind"] == "build"]
                wait_for(lambda: [(j["state"], "No space" in (j["error"] or "")) for j in jobs()], [("queued", True)])
                with sqlite3.connect(s.db, timeout=10) as db:
                    assert db.execute("SELECT path, attempts FROM piece_group").fetchall() == [(f"otlp:{otlp.trace_id(1)}", 0)]
                subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)
                with sqlite3.connect(s.db, timeout=10) as db: # nobody waits for its time here
                    db.execute("UPDATE job SET begin_at = 0 WHERE state = 0")
                wait_for(lambda: [j["state"] for j in jobs()], ["done"])
                run_of = s.get("collections/spans/runs")["items"]
                assert len(run_of) == 1 and run_of[0]["messages"] == 16, run_of
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def test_a_clock_that_is_set():
    with Faulty() as s:
        s.collection()
        for i, seconds in enumerate((86400 * 400, -86400 * 400, 0)):
            body = jsonl([chat(f"{i}-{n}", f"w{n} " * 3000) for n in range(300)]).encode()
            upload = s.send("POST", f"collections/c/uploads?filename=f{i}", body, 202)
            s.clock(seconds)
            job = s.get(f"jobs/{upload['id']}", wait=60)
            assert job["state"] == "done" and job["attempts"] == 1, job # nobody took it for abandoned
            # What waits for its time is not put off by a year: spans are built into a run when they have been quiet for a while.
            otlp.send(s, otlp.export(*otlp.conversation(i)), {**otlp.JSON, "X-Telltale-Collection": "spans"})
            wait_for(lambda: s.ask("GET", "/api/v1/collections/spans/runs").json().get("total"), i + 1)
        assert json.loads(run(s.db, "check", "--json").stdout)["ok"]


def test_two_servers_on_one_database():
    with Server() as a:
        a.collection()
        b = Server(folder=a.path)
        try:
            names = [f"u{i}" for i in range(20)]

            def send(server, some):
                for name in some:
                    body = jsonl([chat(f"{name}-{n}", f"{name} says {n} " * 300) for n in range(5)]).encode()
                    assert server.ask("POST", f"collections/c/uploads?filename={name}", body).status == 202

            threads = [threading.Thread(target=send, args=(s, names[k::2])) for k, s in enumerate((a, b))]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            b.kill()
            # What the one that died was doing is done when its lease is over; here nobody waits a minute for it.
            db = sqlite3.connect(a.db, timeout=10)
            with db:
                db.execute("UPDATE job SET lease_until = 0 WHERE state = 1")
            db.close()
            wait_for(lambda: set(states(a)), {"done"})
            files = collections.Counter(row["source"]["file"] for row in a.all("collections/c/runs", limit=1000))
            assert files == {name: 5 for name in names}, files
            assert a.spool() == []
        finally:
            if b.process.poll() is None:
                b.kill()
        assert json.loads(run(a.db, "check", "--json").stdout)["ok"]


def test_a_database_that_is_moved_away():
    """Nothing is acknowledged into a file without a name, nothing is begun beside what another database left."""
    with Server() as s:
        s.collection()
        away = s.db + ".away"
        os.rename(s.db, away)
        for replaced in (False, True):
            if replaced:
                shutil.copy(away, s.db)
            s.ask("GET", "/readyz").problem(503, "moved")
            s.ask("POST", "collections", {"name": "lost"}).problem(503, "put it back")
            s.ask("POST", "collections/c/uploads?filename=a", jsonl([chat("a")]).encode()).problem(503, "put it back")
            s.ask("GET", "collections").problem(503, "put it back")
        os.rename(away, s.db)
        assert s.ask("GET", "/readyz").status == 200 and [c["name"] for c in s.get("collections")["items"]] == ["c"]
        assert s.upload(jsonl([chat("a")]))["result"]["runs"]["new"] == 1
        s.process.kill()
        s.process.wait()
        refused = lambda *command: subprocess.run([PROGRAM, "--db", s.db, *command], capture_output=True, text=True, timeout=30)
        os.rename(s.db, away)
        assert os.path.getsize(s.db + "-wal")
        got = refused("collections", "add", "new")
        assert got.returncode == 3 and "its log" in got.stderr and not os.path.exists(s.db), got
        for end in "-wal", "-shm":
            os.rename(s.db + end, away + end)
        waiting = os.path.join(s.db + ".spool", "0" * 8 + "-1111-4111-8111-" + "0" * 12)
        open(waiting, "w").close()
        got = refused("serve", "--listen", "127.0.0.1:0")
        assert got.returncode == 3 and "uploads for the one that was here (1)" in got.stderr and os.path.exists(waiting), got
        os.unlink(waiting)
        for end in "", "-wal", "-shm":
            os.rename(away + end, s.db + end)
        s.start()
        assert s.get("collections/c")["runs"] == 1


def test_a_small_disk():
    """A file system of its own with no room: what a real full disk does."""
    import tempfile
    with tempfile.TemporaryDirectory(prefix="telltale-small-") as folder:
        mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], capture_output=True).returncode == 0
        if not mounted:
            print("NOT RUN: a small disk takes the right to mount a tmpfs")
            return
        try:
            with Server(folder=folder) as s:
                s.collection()
                acknowledged, full = {}, 0
                for i in range(60):
                    body = jsonl([chat(f"{i}-{n}", os.urandom(3000).hex()) for n in range(20)]).encode()
                    answer = s.ask("POST", f"collections/c/uploads?filename=f{i}", body)
                    assert answer.status in (202, 507), (answer.status, answer.body)
                    if answer.status == 202:
                        acknowledged[f"f{i}"] = 20
                    else:
                        full += 1
                    if full > 2:
                        break
                    time.sleep(0.02)
                assert full and acknowledged, (full, len(acknowledged))
                assert s.ask("GET", "/api/v1/collections/c/runs").status == 200, "reads go on"
                assert subprocess.run([PROGRAM, "--db", s.db, "backup", os.path.join(folder, "b.db")], capture_output=True).returncode == 3
                assert not [f for f in os.listdir(folder) if f.startswith("b.db")], os.listdir(folder)
                subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)
                s.upload(jsonl([chat("after")]).encode(), filename="after")
                wait_for(lambda: set(states(s)), {"done"})
                files = collections.Counter(row["source"]["file"] for row in s.all("collections/c/runs", limit=1000))
                assert files == {**acknowledged, "after": 1}, (files, acknowledged)
                assert json.loads(run(s.db, "check", "--json").stdout)["ok"]
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
