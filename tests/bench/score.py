#!/usr/bin/env python3
"""How good the detectors are, on runs that people have read: `make score`.

usage: score.py PROGRAM [LABELS.tsv,...] [--json]       or  make score LABELS=mine.tsv,yours.tsv

Imports the files of the labelled runs into a database of its own and prints the scorer's table of precision, recall and F1. Then
the step of the decisive mistake in the Who&When runs, beside the best constant step. Without LABELS it takes $TELLTALE_LABELS; the
transcripts are in $TELLTALE_CORPORA, the scorer is $TELLTALE_SCORER. Exit status: 0 scored, 2 something of these is not there.

A run's step is taken in three ways. `shown` is the place that the program itself shows first: of the finding that is most severe, then
most confident, the first evidence. `earliest` is the earliest of these places among the findings over `low`, for the decisive mistake is
by definition the first. `learned` prefers the detectors that were right most often on the other runs of the same half (leave one out), so
that no run helps to choose its own answer. A run without a finding that names a message is wrong in all.
"""
import argparse
import collections
import csv
import glob
import json
import math
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.path.join(HERE, "..", "..", "..", "shared")
CORPORA = os.environ.get("TELLTALE_CORPORA", os.path.join(SHARED, "corpora"))
LABELS = os.environ.get("TELLTALE_LABELS", os.path.join(SHARED, "labels", "behaviors.tsv"))
SCORER = os.environ.get("TELLTALE_SCORER", os.path.join(SHARED, "bench", "score.py"))
SEVERITIES = {"low": 0, "medium": 1, "high": 2}


def rows_of(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def need(path, what):
    if not os.path.exists(path):
        print(f"NOT SCORED: {what} not found at {path}", file=sys.stderr)
        sys.exit(2)


def wilson(k, n, z=1.96):
    if not n:
        return 0.0, 1.0
    p, d = k / n, 1 + z * z / n
    half, mid = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d, (p + z * z / (2 * n)) / d
    return max(0.0, mid - half), min(1.0, mid + half)


class Scored:
    """The runs and findings of some files, read by the program."""

    def __init__(self, program, folder, name, files):
        self.paths = {}
        db = os.path.join(folder, name + ".db")
        done = subprocess.run([program, "--db", db, "-q", "import", *files, "-c", name], capture_output=True, text=True)
        if done.returncode not in (0, 1):
            sys.exit(f"import failed: {done.stderr}")
        for kind in ("runs", "findings"):
            self.paths[kind] = os.path.join(folder, f"{name}.{kind}.jsonl")
            with open(self.paths[kind], "w") as out:
                subprocess.run([program, "--db", db, kind, "-c", name, "--output", "jsonl"], stdout=out, check=True)

    def lines(self, kind):
        with open(self.paths[kind]) as f:
            return [json.loads(line) for line in f]


def score_behaviors(program, folder, label_files, as_json):
    """The scorer's report as text or, with as_json, as its document."""
    merged = os.path.join(folder, "labels.tsv")
    rows = [r for path in label_files for r in rows_of(path)]
    with open(merged, "w") as out:
        columns = ["file", "run", "behavior", "strength", "quote", "note"]
        out.write("\n".join("\t".join(line) for line in [columns] + [[r[c] or "" for c in columns] for r in rows]) + "\n")
    files = [os.path.join(CORPORA, f) for f in sorted({r["file"] for r in rows})]
    for f in files:
        need(f, "a labelled file")
    beside = {b for f in files for b in glob.glob(glob.escape(os.path.splitext(f)[0]) + ".*")}  # a session's messages may have their own file
    scored = Scored(program, folder, "labelled", sorted(beside))
    done = subprocess.run([sys.executable, SCORER, merged, scored.paths["runs"], scored.paths["findings"]] + ["--json"] * as_json,
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the scorer failed: {done.stdout}{done.stderr}")
    return json.loads(done.stdout) if as_json else done.stdout


def steps_named(findings):
    """[(detector, step, severity)] of one run, most severe first; step: the first message that the finding's evidence names."""
    ranked = sorted(findings, key=lambda f: (-SEVERITIES[f["severity"]], -f["confidence"]))
    places = [(f["detector"], next((e["message"] for e in f["evidence"] if e["message"] is not None), None), f["severity"]) for f in ranked]
    return [place for place in places if place[1] is not None]


def earliest_step(named):
    weighty = [step for _, step, severity in named if severity != "low"]
    return min(weighty or [step for _, step, _ in named], default=None)


def learned_step(named, others):
    """named: of one run; others: [(named, true step)]. The step of the detector that was right most often elsewhere."""
    right, seen = collections.Counter(), collections.Counter()
    for other, true in others:
        for detector, step, _ in other:
            seen[detector] += 1
            right[detector] += step == true
    return max(named, key=lambda d: (right[d[0]] + 0.5) / (seen[d[0]] + 2))[1] if named else None


def score_steps(program, folder):
    """{half: {n, named, shown, earliest, learned, constant, constant_right}}: counts of runs; constant is the best step in hindsight."""
    truth = {r["where"].split("#")[0]: int(r["step_index"]) for r in rows_of(os.path.join(CORPORA, "labels.tsv"))
             if r["corpus"] == "who_and_when" and r["label_kind"] == "mistake_agent" and r["step_index"]}
    scored = Scored(program, folder, "steps", [os.path.join(CORPORA, f) for f in sorted(truth)])
    found = collections.defaultdict(list)
    for f in scored.lines("findings"):
        if f["run"]:
            found[f["run"]["id"]].append(f)
    halves = collections.defaultdict(list)
    for r in scored.lines("runs"):
        path = os.path.relpath(os.path.realpath(r["source"]["file"]), os.path.realpath(CORPORA))
        halves[path.split("/")[-2]].append((steps_named(found[r["id"]]), truth[path]))
    report = {}
    for half, runs in sorted(halves.items()):
        constant, count = collections.Counter(true for _, true in runs).most_common(1)[0]
        learned = [learned_step(named, runs[:i] + runs[i + 1:]) for i, (named, _) in enumerate(runs)]
        report[half] = {
            "n": len(runs), "named": sum(bool(named) for named, _ in runs),
            "shown": sum(bool(named) and named[0][1] == true for named, true in runs),
            "earliest": sum(earliest_step(named) == true for named, true in runs),
            "learned": sum(step == true for step, (_, true) in zip(learned, runs)),
            "constant": constant, "constant_right": count,
        }
    return report


def print_steps(report):
    print(f"\n{'step of the mistake':22} {'runs':>4} {'named':>5}  {'shown [95 %]':20} {'earliest [95 %]':20} {'learned [95 %]':20} best constant")
    for half, r in report.items():
        cells = []
        for k in (r["shown"], r["earliest"], r["learned"]):
            low, high = wilson(k, r["n"])
            cells.append(f"{k:3} = {100 * k / r['n']:4.1f}% [{100 * low:.0f},{100 * high:.0f}]")
        print(f"{half:22} {r['n']:4} {r['named']:5}  {cells[0]:20} {cells[1]:20} {cells[2]:20} step {r['constant']}: {100 * r['constant_right'] / r['n']:.1f}%")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("program")
    ap.add_argument("labels", nargs="?", default="")
    ap.add_argument("--json", action="store_true")
    args = ap.parse_args()
    program, label_files = os.path.abspath(args.program), args.labels.split(",") if args.labels else [LABELS]
    for path, what in [(CORPORA, "the transcripts"), (SCORER, "the scorer")] + [(f, "labels") for f in label_files]:
        need(path, what)
    with tempfile.TemporaryDirectory(prefix="telltale-score-") as folder:
        behaviors = score_behaviors(program, folder, label_files, args.json)
        steps = score_steps(program, folder)
    if args.json:
        print(json.dumps({**behaviors, "steps": steps}, indent=1))
    else:
        print(behaviors, end="")
        print_steps(steps)


main()
