"""A database on disk, the program on it, and a way past the program into its rows."""
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLE = os.path.join(ROOT, "server", "sample", "data")
PIXEL = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def run(db, *args, status=0, env=None, timeout=120):
    done = subprocess.run([PROGRAM, "--db", db, *args], capture_output=True, env=env, timeout=timeout)
    assert status is None or done.returncode == status, f"{args}: exit {done.returncode}, not {status}\n{done.stdout[-2000:]!r}\n{done.stderr[-2000:]!r}"
    return done


def rows(path):
    """table → hash of all its rows, in their order."""
    with connect(path, readonly=True) as db:
        tables = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        return {t: hashlib.sha256(repr(sorted(db.execute(f'SELECT * FROM "{t}"'), key=repr)).encode()).hexdigest() for t in tables}


class connect:
    """`with connect(path) as db:`; committed and closed at its end, and nothing is left in the WAL."""

    def __init__(self, path, readonly=False):
        self.db = sqlite3.connect(f"file:{path}?mode=ro" if readonly else path, uri=readonly)
        self.readonly = readonly

    def __enter__(self):
        return self.db

    def __exit__(self, kind, *_):
        if not self.readonly and kind is None:
            self.db.commit()
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()


class Database:
    """The sample collection, and a run with an image; made once, then copied."""

    made = None

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="telltale-care-")
        self.path = os.path.join(self.folder.name, "t.db")
        if not Database.made:
            Database.made = tempfile.TemporaryDirectory(prefix="telltale-care-")
            original = os.path.join(Database.made.name, "t.db")
            picture = os.path.join(Database.made.name, "picture.json")
            with open(picture, "w") as out:
                json.dump({"id": "picture", "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "what is this?"},
                                                 {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}}]},
                    {"role": "assistant", "content": "a pixel"}]}, out)
            run(original, "import", SAMPLE, "-c", "sample")
            run(original, "import", picture, "-c", "pictures")
        shutil.copy(os.path.join(Database.made.name, "t.db"), self.path)

    def file(self, name):
        return os.path.join(self.folder.name, name)

    def run(self, *args, **more):
        return run(self.path, *args, **more)

    def check(self, *args, status=0):
        return json.loads(self.run("check", "--json", *args, status=status).stdout)

    def sql(self, statement, *values):
        with connect(self.path) as db:
            return db.execute(statement, values).fetchall()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()
