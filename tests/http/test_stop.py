"""Stopping, in order and not."""
import os
import subprocess
import sys
import threading
import time

from server import COST, HERE, PROGRAM, Server, chat, jsonl


def test_stopping_under_load_finishes_what_it_accepted():
    with Server() as s:
        s.collection()
        accepted, broken = [], []
        stop = threading.Event()

        def load(k):
            i = 0
            while not stop.is_set():
                i += 1
                try:
                    a = s.ask("POST", f"collections/c/uploads?filename={k}-{i}", jsonl([chat(f"{k}-{i}-{n}", "word " * 300) for n in range(200)]).encode(), timeout=20)
                    if a.status == 202:
                        accepted.append(f"{k}-{i}")
                    elif a.status != 503:
                        broken.append(a.status)
                except OSError:
                    break

        threads = [threading.Thread(target=load, args=(k,)) for k in range(8)]
        [t.start() for t in threads]
        time.sleep(1.5)
        took = s.stop()
        stop.set()
        [t.join() for t in threads]
        assert len(accepted) > 8 and not broken, (len(accepted), broken)
        assert took < 10
        s.start()
        for job in s.all("jobs", limit=1000):
            assert s.get(f"jobs/{job['id']}", wait=120 * COST)["state"] == "done", job
        files = {run["source"]["file"] for run in s.all("collections/c/runs", limit=1000)}
        assert files == set(accepted), (len(files), len(accepted))
        assert s.get("collections/c")["runs"] == 200 * len(accepted)
        assert s.spool() == []


def test_stopping_answers_those_who_wait():
    with Server("--workers", "1") as s:
        s.collection()
        body = jsonl([chat(str(i), "word " * 2000) for i in range(4000)]).encode()
        answers = []
        t = threading.Thread(target=lambda: answers.append(s.ask("POST", "collections/c/uploads?wait=300", body)))
        t.start()
        until = time.monotonic() + 20
        while not s.spool() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.2)
        s.stop()
        t.join()
        assert answers[0].status in (200, 202), answers[0].body[:200]
        s.start()
        assert s.get(f"jobs/{answers[0].json()['id']}", wait=120)["state"] == "done"
        assert s.get("collections/c")["runs"] == 4000


def test_a_killed_server_loses_and_doubles_nothing():
    done = subprocess.run([sys.executable, os.path.join(HERE, "kill9.py"), PROGRAM, os.environ.get("KILLS", "5")], capture_output=True, timeout=600)
    assert done.returncode == 0, done.stdout.decode()[-1500:] + done.stderr.decode()[-1500:]
