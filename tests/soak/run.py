#!/usr/bin/env python3
"""Hours in minutes: a server that is used by many in every way, killed and started again, with a ledger of what it acknowledged.

usage: run.py PROGRAM [SECONDS]      also with a program built with BUILD=asan or tsan

Two thirds of the time go to mixed load; each other file of this folder with a main(program, seconds) gets a share of the rest.
"""
import collections
import importlib
import json
import os
import random
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "http")]
from server import PROGRAM, Server, chat, jsonl

READERS, WRITERS, RUNS = 64, 4, 20
KILL_EVERY = 20  # seconds, about
READS = ("collections", "collections/c/summary", "collections/c/runs?limit=50", "collections/c/findings?limit=50", "collections/c/tasks",
         "search?q=word&collection=c&limit=20", "jobs?limit=20", "/metrics", "/readyz")
REFUSED = (("POST", "sql", b'{"query": "DELETE FROM run"}', 403), ("GET", "runs/none", None, 404), ("POST", "collections", b"{", 400),
           ("GET", "search?q=(", None, 200), ("POST", "collections/c/uploads?format=none", b"x", 400), ("GET", "collections/c/runs?limit=-1", None, 400))


class Load:
    def __init__(self, s):
        self.s, self.stop, self.up = s, threading.Event(), threading.Event()
        self.up.set()
        self.lock = threading.Lock()
        self.acknowledged, self.sent = set(), set()
        self.times, self.bytes, self.wrong, self.bad, self.broken = [], 0, [], 0, 0

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

    def read(self, dice):
        path, began = dice.choice(READS), time.monotonic()
        status = self.s.ask("GET", path, timeout=60).status
        if status not in (200, 503):
            self.wrongly("GET", path, status)
        with self.lock:
            self.times.append(time.monotonic() - began)

    def write(self, dice):
        name = f"{dice.getrandbits(64):x}"
        body = jsonl([chat(f"{name}-{i}", "word " * dice.randint(1, 1000), task_id=f"t{i}") for i in range(RUNS)]).encode()
        with self.lock:
            self.sent.add(name)
        a = self.s.ask("POST", f"collections/c/uploads?filename={name}", body, timeout=60)
        if a.status == 202:
            with self.lock:
                self.acknowledged.add(name)
                self.bytes += len(body)
        elif a.status not in (503, 507):
            self.wrongly("upload", a.status, a.body[:200])
        time.sleep(0.2) # so that reading them keeps up

    def misuse(self, dice):
        method, path, body, status = dice.choice(REFUSED)
        a = self.s.ask(method, path, body, timeout=60)
        if a.status not in (status, 503):
            self.wrongly(method, path, a.status, a.body[:200])
        with self.lock:
            self.bad += 1
        time.sleep(0.05)

    def care(self, dice):
        path, body = dice.choice((("collections/c/scans", {}), ("reload", {}), ("prune", {"dry_run": True})))
        a = self.s.ask("POST", path, body, timeout=60)
        if a.status not in (200, 202, 503):
            self.wrongly("POST", path, a.status, a.body[:200])
        time.sleep(2)


def mixed(seconds):
    kills, dice = 0, random.Random(1)
    with Server("--log-level", "warning") as s:
        s.collection()
        load = Load(s)
        works = [load.read] * READERS + [load.write] * WRITERS + [load.misuse, load.care]
        threads = [threading.Thread(target=load.each, args=(work, i), daemon=True) for i, work in enumerate(works)]
        for t in threads:
            t.start()
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(min(dice.uniform(0.5, 1.5) * KILL_EVERY, max(0.1, began + seconds - time.monotonic())))
            load.up.clear()
            s.kill()
            s.start()
            load.up.set()
            kills += 1
        took = time.monotonic() - began
        load.stop.set()
        for t in threads:
            t.join(timeout=90)
        until = time.monotonic() + max(120, seconds)
        while time.monotonic() < until:
            open_jobs = sum(len(s.all("jobs", state=state, limit=1000)) for state in ("queued", "running"))
            if not open_jobs:
                break
            time.sleep(0.5)
        stored = collections.Counter(run["source"]["file"] for run in s.all("collections/c/runs", limit=1000))
        stopped = s.stop()
    lost = sum(stored[name] != RUNS for name in load.acknowledged)
    strange = sum(name not in load.sent or n > RUNS for name, n in stored.items())
    times = sorted(load.times) or [0]
    figures = {"seconds": round(took), "requests": len(load.times), "requests_per_second": round(len(load.times) / took, 1),
               "p99_ms": round(times[len(times) * 99 // 100] * 1000), "clients": READERS, "uploads": len(load.acknowledged),
               "upload_mb_per_second": round(load.bytes / took / 1e6, 2), "kills": kills, "bad_requests": load.bad, "cut_off": load.broken,
               "uploads_lost": lost, "uploads_strange": strange, "jobs_open": open_jobs, "stop_seconds": round(stopped, 1)}
    print(json.dumps({"mixed": figures}), flush=True)
    for wrong in load.wrong[:10]:
        print("WRONG", *wrong, flush=True)
    return int(bool(lost or strange or load.wrong or open_jobs or not load.acknowledged))


def parts():
    """The other files, each with a main(program, seconds) that gives an exit status, or raises, where it finds a fault."""
    for file in sorted(os.listdir(HERE)):
        if file.endswith(".py") and file != os.path.basename(__file__):
            module = importlib.import_module(file[:-3])
            if hasattr(module, "main"):
                yield file[:-3], module.main


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1800
    others = list(parts())
    passed = failed = 0
    for name, work in [("mixed", lambda program, s: mixed(s))] + others:
        share = seconds * 2 / 3 if name == "mixed" else seconds / 3 / len(others)
        try:
            good = not work(PROGRAM, share)
        except (Exception, SystemExit) as e:
            good = False
            print(f"{name}: {type(e).__name__}: {e}", flush=True)
        passed, failed = passed + good, failed + (not good)
        print(f"{name}: {'passed' if good else 'FAILED'}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
