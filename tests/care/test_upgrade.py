"""A database of each schema that there ever was becomes one of today's, with all that was in it; one of tomorrow's is refused."""
import glob
import json
import os
import sqlite3

from database import ROOT, Database, run

MIGRATIONS = sorted(glob.glob(os.path.join(ROOT, "migrations", "sqlite", "*.sql")))


def columns(db, schema, table):
    return [row[1] for row in db.execute(f'PRAGMA {schema}.table_info("{table}")')]


def of_schema(version, source, path):
    """A database as the program of that schema would have made it of what `source` holds: the tables and columns that it knew."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA page_size = 16384")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("ATTACH ? AS today", (source,))
    for migration in MIGRATIONS[:version]:
        db.executescript(open(migration).read())
    db.execute(f"PRAGMA user_version = {version}")
    triggers = db.execute("SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers: # they would count what is copied
        db.execute(f'DROP TRIGGER "{name}"')
    tables = [name for name, in db.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    for table in tables:
        shared = [c for c in columns(db, "main", table) if c in columns(db, "today", table)]
        if shared and table != "judgment": # which was another table once
            names = ", ".join(f'"{c}"' for c in shared)
            db.execute(f'INSERT INTO main."{table}" ({names}) SELECT {names} FROM today."{table}"')
    for _, sql in triggers:
        db.execute(sql)
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def test_from_each_schema():
    assert len(MIGRATIONS) >= 17 and all(f"{i:04d}_" in m for i, m in enumerate(MIGRATIONS, 1)), MIGRATIONS
    with Database() as d:
        d.run("tag", "kept", "-c", "sample")
        finding = json.loads(d.run("findings", "-c", "sample", "--limit", "1", "--json").stdout)["items"][0]["id"]
        d.run("review", "confirmed", finding, "--note", "seen")
        wanted = d.run("export", "-c", "sample").stdout
        assert b'"kept"' in wanted and b'"confirmed"' in wanted
        for version in range(1, len(MIGRATIONS)):
            path = d.file(f"v{version}.db")
            of_schema(version, d.path, path)
            os.chmod(path, 0o644)
            done = run(path, "check", "--repair", "--json") # opens it to write, as serve and import do
            report = json.loads(done.stdout)
            assert report["ok"] and not report["problems"], (version, report)
            assert os.stat(path).st_mode & 0o777 == 0o600 and b"for its owner alone now" in done.stderr, (version, done.stderr)
            assert run(path, "export", "-c", "sample").stdout == wanted, version
        os.chmod(path, 0o640) # allowed by somebody who knows why
        assert run(path, "check", "--repair").stderr and os.stat(path).st_mode & 0o777 == 0o640


def test_an_upgrade_that_is_cut_off():
    """It is one transaction: killed in the middle, or out of room, the database is still of its old schema, and the next start does it all."""
    from faults import env
    with Database() as d:
        wanted = d.run("export", "-c", "sample").stdout
        for how in ({"kill": 3}, {"kill": 9}, {"at": "4:ENOSPC"}):
            path = d.file("old.db")
            for f in glob.glob(path + "*"):
                os.remove(f)
            of_schema(5, d.path, path)
            done = run(path, "check", "--repair", status=None, env=env(path, syncs=1, **how))
            assert done.returncode in (-9, 3), (how, done)
            assert b"made by an older telltale" in run(path, "runs", "-c", "sample", status=3).stderr, how
            run(path, "check", "--repair")
            assert run(path, "export", "-c", "sample").stdout == wanted, how
