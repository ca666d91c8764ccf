"""`telltale check`: each kind of damage is named, and what can be derived again is."""
import os
import sqlite3

from database import Database, run

CHECKS = ["pages", "references", "texts", "evidence", "search index", "counts", "images", "uploads", "key"]

# What is done to the database, the check that must see it, words that it says, whether --repair mends it.
DAMAGE = [
    ("UPDATE run SET odd = odd + 1 WHERE n = 1", "counts", "run ", True),
    ("UPDATE task SET passed = passed + 1 WHERE n = 1", "counts", "task ", True),
    ("UPDATE task SET verdict = (verdict + 1) % 3 WHERE n = 1", "counts", "verdict", True),
    ("UPDATE task_model SET failed = failed + 1", "counts", "model", True),
    ("DELETE FROM task_model WHERE task = 1", "counts", "for a model", True),
    ("UPDATE collection SET findings = findings - 1 WHERE n = 1", "counts", "collection sample", True),
    ("DELETE FROM gram_part WHERE id = (SELECT min(id) FROM gram_part)", "search index", "could not go on", True),
    ("UPDATE gram_part SET data = (SELECT data FROM gram_part ORDER BY id DESC LIMIT 1) WHERE id = (SELECT min(id) FROM gram_part)", "search index", "", True),
    ("DELETE FROM gram_segment WHERE id = (SELECT max(id) FROM gram_segment)", "search index", "is not in the search index", True),
    ("DELETE FROM block_run WHERE run = 1", "texts", "search", True),
    ("UPDATE block_run SET uses = x'' WHERE run = 2", "texts", "search", True),
    ("UPDATE block_hash SET hashes = zeroblob(length(hashes)) WHERE block = 1", "texts", "hashes", False),
    ("UPDATE block SET data = substr(data, 1, length(data) / 2) WHERE id = 1", "texts", "block 1", False),
    ("DELETE FROM message WHERE id = (SELECT max(id) FROM message WHERE id >> 26 = 1)", "texts", "messages", False),
    ("UPDATE message SET text = text + 60000 WHERE id = 1 << 26", "texts", "names 1 texts that are not there", False),
    ("UPDATE message SET first_call = first_call + 1 WHERE calls > 0", "texts", "not where it should be", False),
    ("UPDATE span SET quote = quote || '!' WHERE id = (SELECT min(id) FROM span WHERE quote <> '')", "evidence", "its words are not those of", False),
    ("UPDATE span SET start = start + 1, stop = stop + 1 WHERE id = (SELECT min(id) FROM span WHERE quote <> '')", "evidence", "its words", False),
    ("UPDATE span SET message = 100000 WHERE id = (SELECT min(id) FROM span WHERE message IS NOT NULL)", "evidence", "message 100000", False),
    ("INSERT INTO score (id, name) VALUES (999999 << 26, 'x')", "references", "run 999999", True),
    ("INSERT INTO span (id, part, start, stop) VALUES (999999 << 26, 'text', 0, 0)", "references", "finding 999999", True),
    ("INSERT INTO block_run (block, run, uses) VALUES (1, 999999, x'')", "references", "used by run 999999", True),
    ("DELETE FROM block WHERE id = 1", "references", "is not there", False),
    ("DELETE FROM run_detail WHERE run = 1", "references", "lacks its details", False),
    ("INSERT INTO label (run, label_set, value, created_at) VALUES (999999, 's', 'v', '')", "references", "table label", False),
    ("UPDATE blob SET bytes = zeroblob(length(bytes))", "images", "another SHA-256", False),
    ("INSERT INTO job (id, kind, state, created_at) VALUES ('00000000-0000-4000-8000-000000000000', 'import', 0, '')", "uploads", "0000-4000", False),
]


def test_all_is_good():
    with Database() as d:
        report = d.check()
        assert report["ok"] and report["problems"] == [] and [c["check"] for c in report["checks"]] == CHECKS, report
        looked = {c["check"]: c["looked_at"] for c in report["checks"]}
        assert all(looked[c] > 0 for c in CHECKS if c != "uploads"), looked
        text = d.run("check").stdout.decode()
        assert text.count("good") == len(CHECKS), text


def test_what_was_only_read_is_alone_again():
    with Database() as d:
        alone = lambda: [f for f in os.listdir(os.path.dirname(d.path)) if f.startswith(os.path.basename(d.path)) and f.endswith(("-wal", "-shm"))]
        assert not alone(), alone()
        d.check()
        assert not alone(), alone()
        # A log that somebody uses stays.
        held = sqlite3.connect(d.path)
        held.execute("SELECT count(*) FROM run").fetchone()
        d.check()
        assert len(alone()) == 2
        held.close()
        assert b"others can read meanwhile, and not write" in d.run("check", "--repair").stderr


def test_each_damage_is_seen():
    for statement, check, words, mends in DAMAGE:
        with Database() as d:
            d.sql(statement)
            report = d.check("--repair", status=0 if mends else 1)
            assert report["ok"] == mends, (statement, report)
            assert any(p["check"] == check and words in p["problem"] for p in report["problems"]), (statement, report["problems"])
            row = next(c for c in report["checks"] if c["check"] == check)
            assert row["repaired"] > 0 and not row["problems"] if mends else row["problems"], (statement, row)
            if mends:
                assert d.check()["problems"] == [], statement


def test_without_repair_nothing_changes():
    with Database() as d:
        d.sql("UPDATE collection SET findings = findings - 1")
        before = open(d.path, "rb").read()
        text = d.run("check", status=1).stdout.decode()
        assert "counts: collection sample shows other numbers" in text and "2 problems" in text, text
        assert open(d.path, "rb").read() == before and not d.check(status=1)["ok"]


def test_bytes_of_the_file():
    """A page that is not what it was: named, whatever it held, and never a crash."""
    with Database() as d:
        size = os.path.getsize(d.path)
        whole = open(d.path, "rb").read()
        for page in range(1, size // 16384, max(1, size // 16384 // 12)):
            with open(d.path, "wb") as out:
                out.write(whole)
                out.seek(page * 16384)
                out.write(b"\xa5" * 16384)
            done = d.run("check", status=None)
            assert done.returncode in (1, 3) and (b"problem" in done.stdout or b"restore a backup" in done.stderr), (page, done)
        with open(d.path, "wb") as out:
            out.write(whole[:size // 2])
        assert d.run("check", status=None).returncode in (1, 3)
        with open(d.path, "wb") as out:
            out.write(b"no database at all" * 1000)
        assert b"not a database" in d.run("check", status=3).stderr


def test_a_newer_database_is_refused():
    with Database() as d:
        d.sql("PRAGMA user_version = 9999")
        for args in (["check"], ["backup", d.file("b.db")], ["runs"], ["import", d.path]):
            assert b"newer telltale" in d.run(*args, status=3).stderr, args
        assert not os.path.exists(d.file("b.db"))
