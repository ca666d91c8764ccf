"""`telltale backup`: a database like the one it was made of, while others write."""
import json
import os
import shutil
import threading
import time

from database import Database, connect, rows, run
from faults import env
from server import Server, chat, jsonl


def test_the_same_rows():
    with Database() as d:
        to = d.file("b.db")
        said = json.loads(d.run("backup", to, "--json").stdout)
        assert said["file"] == to and said["bytes"] == os.path.getsize(to) and said["uploads"] == 0, said
        assert rows(d.path) == rows(to)
        assert os.stat(to).st_mode & 0o777 == 0o600
        assert json.loads(run(to, "check", "--json").stdout)["ok"]
        with connect(to, readonly=True) as db:
            assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert run(to, "export", "-c", "sample").stdout == d.run("export", "-c", "sample").stdout
        assert said["replaced"] is False
        d.run("tag", "seen", "-c", "sample")
        before = rows(to)
        printed = d.run("backup", to).stdout.decode()
        assert "in place of an earlier backup" in printed and f" {os.path.getsize(to) / 2**20:.1f} MB " in printed, printed # looked at, which leaves an empty log beside it, and made again
        assert rows(to) == rows(d.path) and json.loads(run(to, "check", "--json").stdout)["ok"]
        d.run("tag", "again", "-c", "sample")
        before = rows(to)
        d.run("backup", d.file("c.db"))
        os.replace(d.file("c.db"), to) # as a timer that keeps one name does
        assert rows(to) == rows(d.path) != before
        assert not [f for f in os.listdir(d.folder.name) if f.endswith(".part")]


def test_what_it_will_not_write():
    with Database() as d:
        assert b"the database itself" in d.run("backup", d.path, status=2).stderr
        os.symlink(d.path, d.file("link"))
        assert b"the database itself" in d.run("backup", d.file("link"), status=2).stderr
        assert b"no file" in d.run("backup", d.folder.name, status=2).stderr
        other = d.file("other.db")
        run(other, "import", d.path, "-c", "c", status=None) # makes it
        if os.path.exists(other + ".lock"):
            os.remove(other + ".lock")
        with open(other + "-wal", "ab") as log:
            log.write(b"x")
        kept = open(other, "rb").read()
        assert b"in use" in d.run("backup", other, status=3).stderr and open(other, "rb").read() == kept
        assert d.run("backup", d.file("no/such/folder"), status=3).stderr
        # Another program's files stay, byte by byte, and so does what belongs to the database.
        with connect(d.file("foreign.db")) as foreign:
            foreign.execute("CREATE TABLE t (x)")
        for name, text in {"notes.txt": "a text", "empty": "", "short.db": "SQLite format 3\0", "server.key": "-----BEGIN PRIVATE KEY-----"}.items():
            with open(d.file(name), "w") as out:
                out.write(text)
        files = lambda: {f: open(d.file(f), "rb").read() for f in os.listdir(d.folder.name) if os.path.isfile(d.file(f)) and not f.startswith("t.db-")}
        before = files()
        for name in ("notes.txt", "empty", "short.db", "foreign.db"):
            assert b"no Telltale database" in d.run("backup", d.file(name), status=2).stderr, name
        assert b"server.key is there already" in d.run("backup", d.file("server"), status=2).stderr # its key would be named so
        for beside in ("-wal", "-shm", "-journal", ".lock", ".key", ".spool"):
            assert d.run("backup", d.path + beside, status=2).stderr, beside
            assert d.run("backup", os.path.join(d.folder.name, "..", os.path.basename(d.folder.name), "t.db" + beside), status=2).stderr, beside
        assert files() == before, [f for f in files() if files()[f] != before.get(f)]
        shutil.copy(d.path, d.file("live.part")) # under the name that the copy has until it is whole
        assert b"live.part is the database itself" in run(d.file("live.part"), "backup", d.file("live"), status=2).stderr
        assert d.check()["ok"]


def test_while_others_write():
    """What was done when the backup began is in it, what was accepted is in it or beside it, and nothing else is half there."""
    accepted, stop = [], threading.Event()
    with Server() as s:
        s.collection()

        def load(k):
            n = 0
            while not stop.is_set():
                time.sleep(0.02)
                name, n = f"{k}-{n}", n + 1
                body = jsonl([chat(f"{name}-{i}", f"the words of {name} " * 200) for i in range(3)]).encode()
                if s.ask("POST", f"collections/c/uploads?filename={name}", body).status == 202:
                    accepted.append(name)

        threads = [threading.Thread(target=load, args=(k,)) for k in range(3)]
        for t in threads:
            t.start()
        backups = []
        for i in range(3):
            time.sleep(0.2)
            known = list(accepted)
            to = os.path.join(s.path, f"b{i}.db")
            run(s.db, "backup", to)
            backups.append((to, known))
        stop.set()
        for t in threads:
            t.join()
        waited = 0
        for to, known in backups:
            report = json.loads(run(to, "check", "--json", status=None).stdout)
            assert report["ok"], report["problems"]
            waited += len(os.listdir(to + ".spool")) if os.path.isdir(to + ".spool") else 0
        to, known = backups[-1]
        assert known
        # A server on the backup goes on with what waited.
        folder = os.path.join(s.path, "restored")
        os.mkdir(folder)
        for beside in ("", ".spool"):
            if os.path.exists(to + beside):
                os.rename(to + beside, os.path.join(folder, "t.db" + beside))
        with Server(folder=folder) as restored:
            until = time.monotonic() + 60
            while any(job["state"] in ("queued", "running") for job in restored.all("jobs", limit=1000)) and time.monotonic() < until:
                time.sleep(0.1)
            files = {}
            for row in restored.all("collections/c/runs", limit=1000):
                name = row["source"]["file"]
                files[name] = files.get(name, 0) + 1
            assert all(files.get(name) == 3 for name in known), [n for n in known if files.get(n) != 3]
            assert set(files.values()) == {3}, files
        assert waited, "no backup had an upload that waited: the test proves too little"


def test_a_crash_leaves_no_copy_with_the_key_of_another():
    """Under a foreign key a copy would let nobody in and not say why; without one it says so."""
    with Database() as one, Database() as other:
        for d in (one, other):
            d.run("token", "create", "t", "--scope", "read")
        key, foreign = (open(d.path + ".key", "rb").read() for d in (one, other))
        assert key != foreign
        tokens = {d: rows(d.path)["token"] for d in (one, other)}
        to, killed = one.file("b.db"), 0
        while True:
            for f in os.listdir(one.folder.name):
                if f.startswith("b.db"):
                    os.remove(one.file(f))
            one.run("backup", to)
            done = other.run("backup", to, status=None, env=env(to, rename=killed + 1))
            stands = {f[4:]: open(one.file(f), "rb").read() for f in os.listdir(one.folder.name) if f.startswith("b.db.key")}
            mine = rows(to)["token"] == tokens[one]
            if done.returncode == 0:
                assert not mine and stands == {".key": foreign}, stands
                break
            assert done.returncode == -9, done
            killed += 1
            assert stands.get(".key", key if mine else foreign) == (key if mine else foreign), (killed, mine, sorted(stands))
            assert (key if mine else foreign) in stands.values(), "what is missing stands beside it"
            if ".key" not in stands:
                shutil.copy(to, one.file("restored.db"))
                assert b"key of the tokens" in run(one.file("restored.db"), "token", "create", "u", "--scope", "read", status=3).stderr
            other.run("backup", to) # the same again mends it
            assert open(to + ".key", "rb").read() == foreign and rows(to)["token"] == tokens[other] and not os.path.exists(to + ".key.old")
        assert killed == 3, killed
