"""Search over HTTP beside ripgrep on the files that were imported. Called by run.py.

Both times are wall times as whoever asks sees them: a request on an open connection, and a process of ripgrep that reads files which the
system has in memory. Ripgrep counts lines of JSON, so its counts are not ours."""
import glob
import http.client
import json
import os
import re
import statistics
import subprocess
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What is asked for, what the answer is compared by, and the goal: how many times faster than ripgrep.
ASKED = [
    (r"xyzzy_needle_\d{5}", "page", 50, "no hit"),
    (r"zzz_no_such_word_zzz", "page", 50, "no hit"),
    (r"mia_li_\d{4}", "count", 10, "selective"),
    (r"AttributeError: '[^']+' object has no attribute", "count", 10, "selective"),
    (r"(?:ZeroDivisionError|RecursionError|UnicodeDecodeError|IndentationError)", "count", 10, "selective"),
    (r"FAILED.{1,200}AssertionError", "count", 10, "selective"),
    (r"def test_\w+_raises\(", "count", 10, "selective"),
    (r"Traceback \(most recent call last\)", "page", 20, "first 50"),
    (r"(?i)\berror\b", "page", 20, "first 50"),
    (r"\bthe\b", "page", 20, "first 50"),
    (r"[\w.+-]+@[\w-]+\.[\w.]+", "page", 20, "first 50"),
    (r"Traceback \(most recent call last\)", "count", 1 / 1.5, "full count"),
    (r"(?i)\berror\b", "count", 1 / 1.5, "full count"),
    (r"\bthe\b", "count", 1 / 1.5, "full count"),
    (r"[\w.+-]+@[\w-]+\.[\w.]+", "count", 1 / 1.5, "full count"),
    (r"\b[0-9a-f]{40}\b", "count", 1.5, "class run"),
]


def ripgrep():
    found = glob.glob(ROOT + "/web/node_modules/@vscode/ripgrep-*/bin/rg")
    return found[0] if found else None


def median_ms(run, times):
    took = []
    for _ in range(times):
        start = time.monotonic()
        run()
        took.append((time.monotonic() - start) * 1000)
    return statistics.median(took)


class Server:
    def __init__(self, program, db):
        self.process = subprocess.Popen([program, "--db", db, "serve", "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"listening on http://([\d.:]+)", line)
            if found:
                break
        self.http = http.client.HTTPConnection(found[1], timeout=120)

    def get(self, path, **query):
        self.http.request("GET", f"/api/v1/{path}?" + urllib.parse.urlencode(query))
        answer = self.http.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"search {query}: {answer.status} {body[:300]}")
        return json.loads(body)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def measure(program, db, files, repeat):
    """`files`: what ripgrep can read of what the database was made of."""
    rg = ripgrep()
    folders = sorted({os.path.dirname(f) for f in files})
    server = Server(program, db)
    try:
        print(f"search over HTTP, database of {os.path.getsize(db) / 1e6:.0f} MB, beside " +
              (f"ripgrep over {sum(os.path.getsize(f) for f in files) / 1e6:.0f} MB of lines" if rg else "nothing: NOT RUN, npm's @vscode/ripgrep is missing"))
        for pattern, how, goal, what in ASKED:
            wish = {"q": pattern, "regex": 1, "count": int(how == "count")}
            answer = server.get("search", **wish)
            ours = median_ms(lambda: server.get("search", **wish), 3 * repeat)
            hits = answer["total"] if answer["total"] is not None else f"{len(answer['items'])} or more"
            line = f"  {what:10} {pattern[:44]:44} {hits!s:>10} hits{' INCOMPLETE' if answer['incomplete'] else ''}: {ours:8.2f} ms"
            if rg:
                command = [rg, "-a", "--no-unicode", "--no-ignore", "--hidden", "-c", "-e", pattern, *folders]
                theirs = median_ms(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), repeat)
                line += f" against {theirs:6.0f} ms: {theirs / ours:7.1f} x   (goal {goal:.2g} x){'' if theirs >= goal * ours else '   MISSED'}"
            print(line, flush=True)
    finally:
        server.stop()
