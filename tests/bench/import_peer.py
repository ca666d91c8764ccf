#!/usr/bin/env python3
"""What a careful Python script would do: read transcripts with json, store them with sqlite3, index them with FTS5, and try the
same patterns with re. The peer that `make bench` sets Telltale beside.

usage: import_peer.py DATABASE PATTERNS.json FILE...
"""
import json
import re
import sqlite3
import sys
import zipfile


def runs_of(path):
    if path.endswith(".eval"):
        with zipfile.ZipFile(path) as z:
            for name in z.namelist():
                if name.startswith("samples/"):
                    yield json.loads(z.read(name))
    elif path.endswith(".json"):
        yield from json.load(open(path))
    else:
        for line in open(path):
            yield json.loads(line)


def messages_of(run):
    if "transcripts" in run:
        for t in run["transcripts"]:
            yield from t["messages"]
    else:
        yield from run.get("messages") or run.get("traj") or []


def main():
    db = sqlite3.connect(sys.argv[1])
    patterns = []
    for p in json.load(open(sys.argv[2])):
        try:
            patterns.append(re.compile(p))
        except re.error:
            pass
    db.executescript("""PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        CREATE TABLE run(id INTEGER PRIMARY KEY, external_id TEXT, metadata TEXT);
        CREATE TABLE message(id INTEGER PRIMARY KEY, run INT, role TEXT, text TEXT, calls TEXT);
        CREATE VIRTUAL TABLE words USING fts5(text, content='message', content_rowid='id');
        CREATE TABLE finding(run INT, message INT, pattern INT, start INT, stop INT);""")
    runs = messages = 0
    for path in sys.argv[3:]:
        for run in runs_of(path):
            runs += 1
            db.execute("INSERT INTO run VALUES(?, ?, ?)", (runs, str(run.get("id", run.get("task_id"))), json.dumps(run.get("metadata"))))
            for m in messages_of(run):
                messages += 1
                text = m.get("content")
                text = text if isinstance(text, str) else json.dumps(text)
                db.execute("INSERT INTO message VALUES(?, ?, ?, ?, ?)", (messages, runs, m["role"], text, json.dumps(m.get("tool_calls"))))
                db.execute("INSERT INTO words(rowid, text) VALUES(?, ?)", (messages, text))
                for i, p in enumerate(patterns):
                    hit = p.search(text)
                    if hit:
                        db.execute("INSERT INTO finding VALUES(?, ?, ?, ?, ?)", (runs, messages, i, *hit.span()))
        db.commit()
    print(json.dumps({"runs": runs, "messages": messages, "patterns": len(patterns)}))


main()
