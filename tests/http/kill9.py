#!/usr/bin/env python3
"""Kills the server in the middle of uploads, again and again; what it acknowledged is there once when all is done.

usage: kill9.py PROGRAM [KILLS]
"""
import collections
import os
import random
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import COST, PROGRAM, Server, chat, jsonl

CLIENTS = 50
UPLOADS = 2  # each
RUNS = 5


def main():
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    dice = random.Random(9)
    acknowledged, sent = set(), set()
    with Server() as s:
        s.collection()
        for round in range(kills):

            def client(k):
                for i in range(UPLOADS):
                    name = f"{round}-{k}-{i}"
                    sent.add(name)
                    try:
                        body = jsonl([chat(f"{name}-{n}", "word " * dice.randint(1, 2000)) for n in range(RUNS)]).encode()
                        if s.ask("POST", f"collections/c/uploads?filename={name}", body, timeout=20).status == 202:
                            acknowledged.add(name)
                    except Exception:
                        return

            threads = [threading.Thread(target=client, args=(k,)) for k in range(CLIENTS)]
            for t in threads:
                t.start()
            time.sleep(dice.uniform(0.05, 1.0))
            s.kill()
            for t in threads:
                t.join()
            s.start()
        until = time.monotonic() + max(400, 20 * kills) * COST
        again = set()
        while time.monotonic() < until:
            jobs = s.all("jobs", limit=1000)
            states = collections.Counter(job["state"] for job in jobs)
            for job in jobs:  # what was under way in three kills is put aside, with its bytes, until somebody asks for it
                if job["state"] == "failed" and "was begun 3 times" in job["error"] and job["id"] not in again:
                    again.add(job["id"])
                    states["queued"] += s.ask("POST", f"jobs/{job['id']}/retry", {}).status == 200
            if not states["queued"] and not states["running"]:
                break
            time.sleep(0.5)
        stored = collections.Counter(run["source"]["file"] for run in s.all("collections/c/runs", limit=1000))
        left = s.spool()
        integrity = s.ask("GET", "/readyz").status
        checked = subprocess.run([PROGRAM, "--db", s.db, "check"], capture_output=True, text=True)
    lost = [name for name in acknowledged if stored[name] != RUNS]
    strange = [name for name, n in stored.items() if name not in sent or n != RUNS]
    print(f"{kills} kills, {len(acknowledged)} uploads acknowledged of {len(sent)} begun, {len(stored)} stored, jobs {dict(+states)}, {len(again)} asked for again, {len(left)} files left in the spool")
    if lost or strange or left or integrity != 200 or checked.returncode or set(+states) != {"done"}:
        for job in jobs:
            if job["state"] == "failed":
                print("FAILED", job["id"], job["error"])
        print(f"{checked.stdout[-2000:]}{checked.stderr}LOST {lost[:10]} STRANGE {[(n, stored[n]) for n in strange[:10]]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
