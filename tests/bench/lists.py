"""Reading runs and lists over HTTP: 100,000 runs beside Python's sqlite3, then as many runs as are asked for and one run of 130,000 messages.
Called by run.py. Times are medians of wall times on an open connection."""
import json
import os
import sqlite3
import subprocess
import sys
import time

from search import Server, median_ms

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS, LONG, MESSAGES = 100_000, 130_000, 2_000
ASKED = [
    ("three facets with a range", "facets?fields=model,success,exit_status&range.cost=0.1..0.2"),
    ("the same, and sorted: the first 50", "runs?limit=50&sort=-cost&range.cost=0.1..0.2"),
    ("50 from the middle, by a score", "runs?limit=50&sort=-score.reward&offset={middle}"),
    ("50 from the end", "runs?limit=50&offset={end}"),
    ("cost, tokens and time by model", "stats?by=model"),
]


def long_run(path, messages):
    """One run of so many short messages."""
    say = ({"role": ("user", "assistant")[i % 2], "content": f"message {i} says what the one before it said"} for i in range(messages))
    with open(path, "w") as f:
        f.write(json.dumps({"id": "long", "transcripts": [{"id": "main", "messages": list(say)}]}) + "\n")


def load(program, db, path, name):
    start = time.monotonic()
    subprocess.run([program, "--db", db, "-q", "import", path, "-c", name], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def ask(server, target):
    server.http.request("GET", "/api/v1/" + target)
    answer = server.http.getresponse()
    body = answer.read()
    assert answer.status == 200, (target, answer.status, body[:200])
    return body


def sqlite_peer(path):
    """The same columns in a table of their own: three GROUP BYs and a sorted page."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE run (id, model, success, exit_status, cost REAL)")
    rows = (json.loads(line) for line in open(path))
    db.executemany("INSERT INTO run VALUES (?, ?, ?, ?, ?)", ((r["id"], r["model"], r["success"], r["exit_status"], r.get("cost_usd")) for r in rows))

    def run():
        for field in ("model", "success", "exit_status"):
            db.execute(f"SELECT {field}, count(*), sum(success) FROM run WHERE cost BETWEEN 0.1 AND 0.2 GROUP BY 1").fetchall()
        db.execute("SELECT id FROM run WHERE cost BETWEEN 0.1 AND 0.2 ORDER BY cost DESC LIMIT 50").fetchall()

    return run


def messages_peer(path):
    """The messages of a run from a table, as JSON."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE message (i INTEGER PRIMARY KEY, role, content)")
    said = json.loads(open(path).readline())["transcripts"][0]["messages"]
    db.executemany("INSERT INTO message VALUES (?, ?, ?)", ((i, m["role"], m["content"]) for i, m in enumerate(said)))
    return lambda: json.dumps([{"index": i, "role": r, "text": c} for i, r, c in db.execute("SELECT * FROM message ORDER BY i")])


def first_and_again(server, target):
    start = time.monotonic()
    ask(server, target)
    first = (time.monotonic() - start) * 1000
    return first, median_ms(lambda: ask(server, target), 9)


def lists(program, folder, runs, asked):
    path, db = f"{folder}/{runs}.jsonl", f"{folder}/{runs}.db"
    subprocess.run([sys.executable, HERE + "/make_runs.py", "many", str(runs), path], check=True)
    print(f"{runs} runs in one collection: imported in {load(program, db, path, 'many'):.0f} s", flush=True)
    server = Server(program, db)
    try:
        for what, target in asked:
            target = target and target.format(middle=runs // 2, end=runs - 50)
            first, again = first_and_again(server, "collections/many/" + target if target else "search?q=timeout&limit=50")
            print(f"  {what}: {again:.1f} ms (the first time {first:.0f} ms)", flush=True)
    finally:
        server.process.terminate()
        server.process.wait()
    return path


def read(program, folder):
    path = lists(program, folder, RUNS, ASKED)
    print(f"  three facets and a sorted page by python3 sqlite3: {median_ms(sqlite_peer(path), 5):.1f} ms   (the goal is 5 x, and 5 ms in the engine)")
    print("  NOT MEASURED: DuckDB, FastAPI and nginx as peers")
    path, db = folder + "/read.jsonl", folder + "/read.db"
    long_run(path, MESSAGES)
    load(program, db, path, "read")
    server = Server(program, db)
    try:
        run = json.loads(ask(server, "collections/read/runs"))["items"][0]["id"]
        ours = median_ms(lambda: [ask(server, f"runs/{run}/messages?limit=500&from={at}") for at in range(0, MESSAGES, 500)], 9)
        theirs = median_ms(messages_peer(path), 9)
        print(f"a run of {MESSAGES} messages as JSON over HTTP: {ours:.1f} ms, python3 sqlite3 + json without HTTP {theirs:.1f} ms: {theirs / ours:.1f} x   (goal 5 x)")
    finally:
        server.process.terminate()
        server.process.wait()


def scale(program, folder, runs):
    lists(program, folder, runs, ASKED + [("words in all messages: the first 50", None)])
    path, db = folder + "/long.jsonl", folder + "/long.db"
    long_run(path, LONG)
    print(f"one run of {LONG} messages: imported in {load(program, db, path, 'long'):.1f} s", flush=True)
    server = Server(program, db)
    try:
        run = json.loads(ask(server, "collections/long/runs"))["items"][0]["id"]
        for what, target in (("its first 100 messages", f"runs/{run}/messages"), ("100 from the end", f"runs/{run}/messages?from={LONG - 100}"),
                             ("search for one of them", f"search?q=%22message%20{LONG - 7}%20says%22")):
            first, again = first_and_again(server, target)
            print(f"  {what}: {again:.1f} ms (the first time {first:.0f} ms)", flush=True)
    finally:
        server.process.terminate()
        server.process.wait()
