#!/usr/bin/env python3
"""Everything at one time: readers, uploads, judges, scans, searches and nonsense, while the server is killed and its disk is full now and then, with a
ledger of what it acknowledged; then, on a server that is left in peace, how much it does.

usage: mixed.py PROGRAM [SECONDS]       ends with figures; exit status 1 when a row was lost, doubled or damaged, or an answer was wrong
"""
import collections
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "care"), os.path.join(TESTS, "http"), os.path.join(TESTS, "llm")]

READERS, WRITERS, RUNS = 64, 4, 20
FAULT_EVERY = 15    # seconds, about; three kills, then a disk that is full for a while, then one that writes half of what it is given
FULL_FOR = 3        # seconds
FULL = (500, 507)   # what is answered to what would write, while the disk is full
PACE_S = 0.5        # between a writer's uploads, so that reading them keeps up
PEACE = 0.15        # the share of the time in which nothing fails
BIG_RUNS = 1000     # of an upload in peace: about 2 MB
READS = ("collections", "collections/{c}/summary", "collections/{c}/runs?limit=50", "collections/{c}/findings?limit=50", "collections/{c}/tasks",
         "search?q=word&collection={c}&limit=20", "jobs?limit=20", "judgments?collection={c}&limit=20", "/metrics", "/readyz")
REFUSED = (("POST", "sql", b'{"query": "DELETE FROM run"}', 403), ("GET", "runs/none", None, 404), ("POST", "collections", b"{", 400),
           ("GET", "search?q=(", None, 200), ("POST", "collections/c0/uploads?format=none", b"x", 400), ("GET", "collections/c0/runs?limit=-1", None, 400),
           ("POST", "collections/bad/uploads?filename=a.jsonl", b'{"messages": [' * 500, 202), ("POST", "collections/bad/uploads?filename=a.gz", b"\x1f\x8b\x08\x00", 202),
           ("POST", "collections/bad/uploads?filename=a.zip", b"PK\x03\x04" + b"\xff" * 500, 202), ("POST", "collections/bad/uploads", b"\0" * 5000, 202))
figures = {} # for the end


def text_of(dice):
    return " ".join(dice.choice(("word", "the step", "failed", "and so on", "please", "error", "done")) for _ in range(dice.randint(1, 600)))


class Load:
    def __init__(self, s):
        self.s, self.stop, self.up = s, threading.Event(), threading.Event()
        self.up.set()
        self.lock = threading.Lock()
        self.round, self.full = 0, False
        self.acknowledged, self.sent = set(), set()
        self.times, self.bytes, self.wrong, self.bad, self.broken, self.refused = [], 0, [], 0, 0, 0

    def wrongly(self, *what):
        with self.lock:
            self.wrong.append(what)

    def each(self, work, seed):
        """`work` again and again; what a kill cuts off is no fault, anything else is."""
        dice = random.Random(seed)
        while not self.stop.is_set():
            self.up.wait(60)
            try:
                work(dice)
            except Exception as e:
                if self.up.is_set() and not isinstance(e, OSError) and type(e).__module__ != "http.client":
                    self.wrongly(type(e).__name__, str(e)[:200])
                with self.lock:
                    self.broken += 1
                time.sleep(0.05)

    def ask(self, method, path, body, *statuses):
        """The answer, if it has one of the statuses; none where the disk is full or the server ends. Another one is wrong."""
        full = self.full
        a = self.s.ask(method, path, body, timeout=60)
        if a.status in statuses:
            return a
        if a.status != 503 and not ((full or self.full) and a.status in FULL):
            self.wrongly(method, path, a.status, a.body[:200])
        with self.lock:
            self.refused += 1
        return None

    def read(self, dice):
        began = time.monotonic()
        self.ask("GET", dice.choice(READS).format(c=f"c{self.round}"), None, 200)
        with self.lock:
            self.times.append(time.monotonic() - began)
        time.sleep(0.02)

    def write(self, dice):
        from server import chat, jsonl
        name = f"{dice.getrandbits(64):x}"
        body = jsonl([chat(f"{name}-{i}", text_of(dice), task_id=f"t{i}") for i in range(RUNS)]).encode()
        with self.lock:
            self.sent.add(name)
        if self.ask("POST", f"collections/c{self.round}/uploads?filename={name}", body, 202):
            with self.lock:
                self.acknowledged.add(name)
                self.bytes += len(body)
        time.sleep(PACE_S)

    def misuse(self, dice):
        method, path, body, status = dice.choice(REFUSED)
        self.ask(method, path, body, status)
        with self.lock:
            self.bad += 1
        time.sleep(0.1)

    def care(self, dice):
        c = f"c{max(0, self.round - 1)}" # whose uploads have been read by now
        path, body = dice.choice(((f"collections/{c}/scans", {}), ("reload", {}), ("prune", {"dry_run": True}),
                                  ("judgments", {"collection": c, "rubric": "any-error", "max_calls": 200})))
        self.ask("POST", path, body, 200, 202)
        time.sleep(2)


def wait_for_jobs(s, seconds):
    """How many are still open after that time."""
    until = time.monotonic() + seconds
    while True:
        left = sum(len(s.all("jobs", state=state, limit=1000)) for state in ("queued", "running"))
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.5)


def hurt(load, s, n):
    """A fault, and which it was. Runs go to another collection then, so that scans and judges have an end."""
    if n % 5 < 3:
        load.up.clear()
        s.kill()
        s.start()
        load.up.set()
        what = "kills"
    else:
        load.full = True
        what = ("ENOSPC", "SHORT")[n % 5 - 3]
        s.fault(what)
        time.sleep(FULL_FOR)
        s.fault("")
        time.sleep(1) # what was refused before is being answered
        load.full = False
    s.collection(f"c{load.round + 1}")
    load.round += 1
    return what


def under_faults(seconds, settings):
    """The load and what is left of it: (figures, whether all is well)."""
    from database import run
    from server import COST
    from test_faults import Faulty
    from test_judges import RUBRIC
    faults, dice = collections.Counter(), random.Random(1)
    with Faulty("--log-level", "warning", "--config", settings) as s:
        s.collection("c0")
        s.collection("bad")
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        load = Load(s)
        works = [load.read] * READERS + [load.write] * WRITERS + [load.misuse, load.care]
        threads = [threading.Thread(target=load.each, args=(work, i), daemon=True) for i, work in enumerate(works)]
        for t in threads:
            t.start()
        began = time.monotonic()
        while (left := began + seconds - time.monotonic()) > 0:
            time.sleep(min(dice.uniform(0.5, 1.5) * FAULT_EVERY, seconds / 6, left))
            faults[hurt(load, s, sum(faults.values()))] += 1
        took = time.monotonic() - began
        load.stop.set()
        for t in threads:
            t.join(timeout=90)
        left = wait_for_jobs(s, max(120, seconds) * COST)
        jobs = collections.Counter((job["kind"], job["state"]) for job in s.all("jobs", limit=1000))
        stored, judged = collections.Counter(), collections.Counter()
        for i in range(load.round + 1):
            stored.update(row["source"]["file"] for row in s.all(f"collections/c{i}/runs", limit=1000))
            judged.update(row["run"]["id"] for row in s.all("judgments", collection=f"c{i}", limit=1000))
        spooled, stopped = s.spool(), s.stop()
        whole = run(s.db, "check", "--json", status=None, timeout=600)
    lost = sum(RUNS - min(stored[name], RUNS) for name in load.acknowledged)
    strange = sum(name not in load.sent or n > RUNS for name, n in stored.items()) + sum(n > 1 for n in judged.values())
    times = sorted(load.times) or [0]
    told = {"seconds": round(took), "requests": len(load.times), "requests_per_second": round(len(load.times) / took, 1),
            "p99_ms": round(times[len(times) * 99 // 100] * 1000), "uploads": len(load.acknowledged), "rows": sum(stored.values()),
            "upload_mb_per_second": round(load.bytes / took / 1e6, 2), "judgments": len(judged), "faults": dict(faults), "bad_inputs": load.bad,
            "refused_while_full": load.refused, "cut_off": load.broken, "rows_lost": lost, "rows_strange": strange, "jobs_open": left,
            "jobs": {f"{kind} {state}": n for (kind, state), n in sorted(jobs.items())}, "check_exit": whole.returncode, "stop_seconds": round(stopped, 1)}
    print(json.dumps({"under faults": told}), flush=True)
    for wrong in load.wrong[:10]:
        print("WRONG", *wrong, flush=True)
    if whole.returncode:
        print(whole.stdout[-2000:].decode(errors="replace"), flush=True)
    figures.update({"faults survived": sum(faults.values()), "bad inputs": load.bad, "rows lost": lost})
    return not (lost or strange or load.wrong or left or spooled or whole.returncode) and bool(load.acknowledged) and bool(judged or seconds < 60)


def of_time(word):
    """Milliseconds of wrk's 12.34ms"""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", word).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


def in_peace(seconds):
    """Clients that ask as fast as they are answered, beside uploads each of which begins when the one before it has been read."""
    from server import Server, chat, jsonl
    dice, sent, stop, seen = random.Random(2), [], threading.Event(), []
    with Server("--log-level", "warning") as s, tempfile.TemporaryDirectory(prefix="telltale-soak-") as folder:
        s.collection("c0")
        s.upload(jsonl([chat(f"first-{i}", text_of(dice), task_id=f"t{i % 50}") for i in range(BIG_RUNS)]), collection="c0")
        rows = [text_of(dice) for _ in range(BIG_RUNS)]

        def upload(n):
            while not stop.is_set():
                name = f"{n}-{len(sent)}"
                body = jsonl([chat(f"{name}-{i}", text, task_id=f"t{i % 50}") for i, text in enumerate(rows)])
                try:
                    job = s.upload(body, filename=name, collection="c0", wait=0, status=202)["job"]
                    while (ended := s.get(f"jobs/{job}", wait=60))["state"] in ("queued", "running"):
                        pass
                    assert ended["state"] == "done", ended
                    sent.append(len(body))
                except Exception as e:
                    seen.append(f"{type(e).__name__}: {e}")
                    return

        script = os.path.join(folder, "reads.lua")
        paths = [path if path.startswith("/") else "/api/v1/" + path.format(c="c0") for path in READS]
        with open(script, "w") as out:
            out.write(f"local paths, n = {{{', '.join(json.dumps(p) for p in paths)}}}, 0\n"
                      "request = function() n = n + 1; return wrk.format('GET', paths[n % #paths + 1]) end\n")
        threads = [threading.Thread(target=upload, args=(n,)) for n in range(2)]
        for t in threads:
            t.start()
        began = time.monotonic()
        said = subprocess.run(["wrk", "-t1", f"-c{READERS}", f"-d{max(2, round(seconds))}s", "--timeout", "60s", "--latency", "-s", script, f"http://127.0.0.1:{s.port}"],
                              capture_output=True, text=True, timeout=seconds + 120).stdout
        stop.set()
        for t in threads:
            t.join()
        took = time.monotonic() - began
        stored = s.get("collections/c0")["runs"]
    rate, p99, wrong = (re.search(pattern, said) for pattern in (r"Requests/sec:\s+([\d.]+)", r"99%\s+(\S+)", r"Non-2xx.*: (\d+)|Socket errors: (.*)"))
    assert rate and p99, said
    lost = BIG_RUNS * (1 + len(sent)) - stored
    figures.update({"requests per second, 64 clients": float(rate[1]), "p99 ms, 64 clients": round(of_time(p99[1]), 1),
                    "uploads beside, MB per second": round(sum(sent) / took / 1e6, 2), "rows lost": figures["rows lost"] + lost})
    for problem in seen + ([wrong[0]] if wrong else []) + ([f"{lost} rows are missing"] if lost else []):
        print("WRONG", problem, flush=True)
    return not seen and not wrong and not lost


def main(binary, seconds=300):
    sys.argv[1:] = [binary]
    from fault_server import FaultServer
    with tempfile.TemporaryDirectory(prefix="telltale-soak-") as folder, FaultServer(plan={"delay_ms": 5, "faults": {"429": {"chance": 0.02, "retry_after": 0}, "500": 0.02}}) as model:
        settings = os.path.join(folder, "telltale.yaml")
        with open(settings, "w") as out:
            out.write(f"models:\n  default: main\n  main: {{ url: {model.url}/v1, model: tiny-judge, concurrency: 8, timeout: 10 }}\n")
        good = under_faults(seconds * (1 - PEACE), settings)
        figures["calls to the model"] = len(model.books()["requests"])
    good = in_peace(seconds * PEACE) and good
    print(json.dumps(figures), flush=True)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), *(float(s) for s in sys.argv[2:3])))
