#!/usr/bin/env python3
"""Telltale beside its peers, in one run on one machine: `make bench`.

usage: run.py PROGRAM [--bytes 1G] [--peer-bytes 40M] [--repeat 3] [--only rules,import,judging,search] [--db FILE --files FOLDER]
or  make bench BENCH="--bytes 100M"       --db, --files: a database made before, and what it was made of, for search

Each figure is a whole process's own accounting (user + system CPU seconds, wall seconds, peak resident memory); ratios are of
paired runs, medians of --repeat. Data come from the load generator at $TELLTALE_GENERATE.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import judging
import lists
import rules
import search

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ap = argparse.ArgumentParser()
ap.add_argument("program")
ap.add_argument("--bytes", default="1G")
ap.add_argument("--peer-bytes", default="40M")
ap.add_argument("--runs", type=int, default=1_000_000, help="of the collection that --only scale makes")
ap.add_argument("--repeat", type=int, default=3)
ap.add_argument("--only", default="import,rules,judging,search")
ap.add_argument("--db")
ap.add_argument("--files")
args = ap.parse_args()
PROGRAM = os.path.abspath(args.program)
RULES = os.path.dirname(PROGRAM) + "/bench/rules"
GENERATE = os.environ.get("TELLTALE_GENERATE", os.path.join(ROOT, "..", "shared", "bench", "generate.py"))


def number(size):
    return float(size.rstrip("KMG")) * {"K": 1e3, "M": 1e6, "G": 1e9}.get(size[-1], 1)


def generate(folder, size, formats):
    subprocess.run([sys.executable, GENERATE, folder, "--bytes", size, "--formats", formats], check=True)
    files = sorted(f for f in glob.glob(folder + "/*/*"))
    return files, sum(int(line.split("\t")[4]) for line in open(folder + "/manifest.tsv").readlines()[1:])


def measure(command):
    """user + system seconds, wall seconds, peak MB, stdout"""
    start = time.monotonic()
    p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"failed: {command[:4]}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024, out


def telltale(files, *options):
    with tempfile.TemporaryDirectory() as t:
        cpu, wall, peak, out = measure([PROGRAM, "--db", t + "/t.db", "-q", "import", *files, "-c", "bench", "--json", *options])
        disk = sum(os.path.getsize(f) for f in glob.glob(t + "/t.db*"))
    return cpu, wall, peak, json.loads(out), disk


def peer(files, patterns):
    with tempfile.TemporaryDirectory() as t:
        with open(t + "/p.json", "w") as f:
            json.dump(patterns, f)
        cpu, wall, peak, out = measure([sys.executable, HERE + "/import_peer.py", t + "/t.db", t + "/p.json", *files])
    return cpu, wall, peak, json.loads(out)


def bench_import(t):
    patterns = sorted({p["text"] for p in rules.read_patterns(RULES)})
    small, small_bytes = generate(t + "/small", args.peer_bytes, "native,openai,eval,tau")  # what the peer reads
    lines = [f for f in small if f.endswith(".jsonl")]
    parsed = json.loads(subprocess.run([os.path.dirname(PROGRAM) + "/bench/parse", *lines], capture_output=True, check=True).stdout)
    mb = parsed["bytes"] / 1e6
    print(f"parse beside jansson, {mb:.0f} MB of lines, one thread: CPU {mb / parsed['jread_seconds']:.0f} MB/s against "
          f"{mb / parsed['jansson_seconds']:.0f} MB/s: {parsed['jansson_seconds'] / parsed['jread_seconds']:.1f} x   (goal 8 x)", flush=True)
    ratios, cpus, peers = [], [], []
    for _ in range(args.repeat):
        a, b = telltale(small, "--jobs", "1"), peer(small, patterns)
        ratios.append(b[0] / a[0])
        cpus.append(a[0])
        peers.append(b[0])
        assert a[3]["runs"]["new"] == b[3]["runs"], (a[3]["runs"], b[3])
    print(f"import beside python3 json + sqlite3 FTS5 + {b[3]['patterns']} patterns by re, {small_bytes / 1e6:.0f} MB, one thread:")
    print(f"  CPU {statistics.median(cpus):.2f} s against {statistics.median(peers):.2f} s: {statistics.median(ratios):.1f} x   (goal 20 x)", flush=True)


def bench_large_import(big, big_bytes):
    one, all_cores = telltale(big, "--jobs", "1"), telltale(big)
    source = sum(os.path.getsize(f) for f in big)
    for name, (cpu, wall, peak, report, disk) in (("one thread", one), ("all cores", all_cores)):
        runs = report["runs"]["new"]
        print(f"import of {big_bytes / 1e6:.0f} MB, {runs} runs, {name}: CPU {cpu:.2f} s ({big_bytes / 1e6 / cpu:.0f} MB/s a core, {runs / cpu:.0f} runs/s), "
              f"wall {wall:.2f} s ({big_bytes / 1e6 / wall:.0f} MB/s), peak {peak:.0f} MB, disk {disk / big_bytes:.2f} of the source (goal 0.65)", flush=True)
    print("  peak memory: the goal is 256 MB + 3 x the largest run")
    print(f"  wall / CPU with all cores: {all_cores[1] / all_cores[0]:.2f}   (goal 0.6)   50 MB/s a core is the goal; files on disk {source / 1e6:.0f} MB")


def bench_search(t):
    """Without archives, which ripgrep cannot read."""
    if args.db and args.files:
        return search.measure(PROGRAM, args.db, glob.glob(args.files + "/*/*.json*"), args.repeat)
    files, _ = generate(t + "/lines", args.bytes, "native,openai,tau,claude,otlp")
    subprocess.run([PROGRAM, "--db", t + "/search.db", "-q", "import", *files, "-c", "bench", "--no-detect"], check=True, stdout=subprocess.DEVNULL)
    search.measure(PROGRAM, t + "/search.db", files, args.repeat)


def main():
    if "judging" in args.only:
        with tempfile.TemporaryDirectory() as t:
            judging.measure(PROGRAM, t, measure)
    with tempfile.TemporaryDirectory() as t:
        if "read" in args.only:
            lists.read(PROGRAM, t)
        if "scale" in args.only:
            lists.scale(PROGRAM, t, args.runs)
    if not {"search", "import", "rules"} & set(args.only.split(",")):
        return
    if args.only == "search" and args.db:
        return bench_search(None)
    if not os.path.exists(GENERATE):
        print(f"NOT RUN: no load generator at {GENERATE}; set TELLTALE_GENERATE")
        return
    with tempfile.TemporaryDirectory() as t:
        if "search" in args.only:
            bench_search(t)
        if args.only == "search":
            return
        if "import" in args.only:
            bench_import(t)
        big, big_bytes = generate(t + "/big", args.bytes, "native,openai,eval,tau,claude,otlp")
        if "import" in args.only:
            bench_large_import(big, big_bytes)
        if "rules" in args.only:
            rules.measure(PROGRAM, RULES, big, number(args.peer_bytes), measure)


main()
