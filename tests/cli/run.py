#!/usr/bin/env python3
"""The command line as its users meet it: the real program, real files, a database a test.

usage: run.py PROGRAM [NAME...]      a test is a function named test_*; with NAMEs only those run
"""
import base64
import csv
import gzip
import hashlib
import io
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import xml.etree.ElementTree as ElementTree
import zipfile

PROGRAM = os.path.abspath(sys.argv[1])
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CORPORA = os.environ.get("TELLTALE_CORPORA", os.path.join(ROOT, "..", "shared", "corpora"))
SAMPLE = os.path.join(ROOT, "server", "sample")
sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(HERE), "http"))
from server import COST


class Home:
    """A folder of its own with a database in it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="telltale-test-")
        self.path = self.folder.name
        self.db = os.path.join(self.path, "t.db")

    def file(self, name, content):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        return path

    def run(self, *args, status=0, stdin=b"", env=None):
        done = subprocess.run([PROGRAM, "--db", self.db, *args], input=stdin, capture_output=True, env=env, timeout=600)
        assert done.returncode == status, f"{args}: exit {done.returncode}, not {status}\n{done.stdout[-2000:]!r}\n{done.stderr[-2000:]!r}"
        self.stderr = done.stderr.decode()
        return done.stdout.decode()

    def run_within(self, seconds, megabytes, *args):
        """Seconds of processor time: how busy the machine is does not count. A small process starts the program, as one starts with the peak
        memory of whoever forked it."""
        watch = ("import os, subprocess, sys\n"
                 "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
                 "_, status, used = os.wait4(child.pid, 0)\n"
                 "print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss)\n")
        done = subprocess.run([sys.executable, "-c", watch, PROGRAM, "--db", self.db, *args], capture_output=True, text=True, timeout=600)
        status, used, peak = done.stdout.split()
        assert int(status) == 0, (args, status)
        assert float(used) < seconds * COST and int(peak) < (megabytes << 10) * COST, (args, used, peak)

    def json(self, *args, **kw):
        return json.loads(self.run(*args, "--json", **kw))

    def lines(self, *args, **kw):
        return [json.loads(line) for line in self.run(*args, "--output", "jsonl", **kw).splitlines()]


def chat(id, text="hello", **more):
    return {"id": id, "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "done"}], **more}


def jsonl(rows):
    return "".join(json.dumps(r) + "\n" for r in rows)


# ---- usage ------------------------------------------------------------------------------------------------------------

def test_help_and_version_need_nothing():
    h = Home()
    assert "import" in h.run("--help")
    assert "usage: telltale import" in h.run("import", "--help")
    assert h.run("--version").startswith("telltale ")
    assert not os.path.exists(h.db)


def test_wrong_usage_is_2_and_says_what():
    h = Home()
    for args, word in [((), "which command"), (("imprt",), "imprt"), (("runs", "--colour"), "--colour"), (("import",), "PATH"),
                       (("import", "a", "b"), "-c"), (("scan", "--fail-on", "huge"), "huge"), (("runs", "--limit", "many"), "--limit"),
                       (("serve", "--port", "80"), "--listen ADDR:PORT"), (("serve", "--port=80"), "--listen ADDR:PORT")]:
        if args[:1] == ("import",) and len(args) == 3:
            args = ("import", h.file("a", "x"), h.file("b", "y"))
        h.run(*args, status=2)
        assert word in h.stderr, (args, h.stderr)


def test_numbers_that_are_none_are_refused_before_anything_is_done():
    """Every option that takes a number, as --help has it, on the command line and in telltale.yaml."""
    h = Home()
    beyond = {"--max-upload": "1000001", "--rate": "1000001", "--samples": "65", "--paired": "65", "--max-tokens": "1000001", "--temperature": "2.1", "--max-usd": "1e7"}
    may_be_0, parts, seen = ("--timeout", "--paired", "--seed", "--temperature", "--max-usd"), ("--temperature", "--max-usd"), set()
    for command in re.findall(r"(?m)^  (\w+) ", h.run("--help").partition("Try it")[0]):
        for option in re.findall(r"(--\S+) (?:N|MB|S|T|USD)\s", h.run(command, "--help")):
            wrong = ["5x"]
            if option not in seen:
                wrong += ["-1", "", "nan", "9" * 30, *([] if option in may_be_0 else ["0"]), *([] if option in parts else ["1e9", "2.5"]), *([beyond[option]] if option in beyond else [])]
            seen.add(option)
            for value in wrong:
                h.run(command, f"{option}={value}", status=2)
                assert f"{option} takes a" in h.stderr and f"'{value}'" in h.stderr, (command, option, value, h.stderr)
    assert len(seen) == 13 and not os.path.exists(h.db), seen
    for text, word in (("workers: 0", "workers takes a whole number, 1 or more, not '0'"), ("max-upload: 1e9", "max-upload takes a whole number from 1 to 1000000")):
        config = h.file("telltale.yaml", f"serve:\n  {text}\n")
        h.run("serve", "--listen", "127.0.0.1:0", "--config", config, status=2)
        assert f"{config}:2:" in h.stderr and word in h.stderr, h.stderr


def test_what_is_not_there_is_3():
    h = Home()
    h.run("import", os.path.join(h.path, "nothing"), "-c", "x", status=3)
    h.run("import", h.file("a.jsonl", jsonl([chat("1")])), "-c", "x")
    h.run("runs", "-c", "unknown", status=3)
    assert "unknown" in h.stderr
    Home().run("runs", status=3)


# ---- limits -----------------------------------------------------------------------------------------------------------

HOSTILE = [r"\s+$", "(a+)+$", "(a|aa)+$", r"^(\w+\s?)*$", r"(?:\w+\s)+\d", "(a*)*c", r"(\w*a){12}c", "(.*a){8}x", "(a|a?)+c", r"([a-z]+)*\d"]


def pattern_rules(patterns):
    return "---\n".join(
        f"id: slow-{i}\ntitle: t\nbehavior: gibberish\nwhy: w\nunsure: u\nevents: {{ e: {{ on: message, text: '{p}' }} }}\nfind: e\n"
        for i, p in enumerate(patterns))


def processor_time():
    """Seconds that programs which have ended worked: what else the machine does counts for nothing."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_pattern_without_an_end_ends_and_is_listed():
    h = Home()
    rules = h.file("slow.yaml", pattern_rules(HOSTILE[:2]))
    texts = {"spaces": " " * 50000 + "b", "as": "a" * 50000 + "b", "short": "no   " + "a" * 30}
    files = {name: h.file(name + ".jsonl", jsonl([chat(name, text)])) for name, text in texts.items()}
    began = processor_time()
    h.run("scan", "--rules", rules, "--only", "slow-0", files["short"])
    start = processor_time() - began
    for name, rule in (("spaces", "slow-0"), ("as", "slow-1"), ("spaces", "slow-1"), ("as", "slow-0")):
        began = processor_time()
        got = h.json("scan", "--rules", rules, "--only", rule, files[name])
        took = processor_time() - began - start
        assert took < 0.3, (name, rule, took)
        assert got["items"] == [], got
        for row in got["incomplete"]:
            assert (row["detector"], row["external_id"]) == (rule, name) and "limit" in row["reason"], row
            assert f"run {name}, detector {rule}: " in h.stderr, h.stderr
    got = h.json("scan", "--rules", rules, "--only", "slow-0,slow-1", files["short"])
    assert [f["detector"] for f in got["items"]] == ["slow-1"] and got["incomplete"] == [], got


def test_what_hits_a_limit_is_never_silence():
    h = Home()
    rules = h.file("slow.yaml", pattern_rules([r"^(\w+\s?)*$"]))
    log = h.file("a.jsonl", jsonl([chat("long", "ab " * 20000 + "!"), chat("short")]))
    report = h.json("import", log, "-c", "x", "--rules", rules)
    assert report["incomplete"] == 1, report
    rows = h.json("incomplete", "-c", "x")
    assert rows["total"] == 1 and rows["items"][0]["external_id"] == "long", rows
    assert "limit" in h.run("incomplete")
    scanned = h.json("scan", "-c", "x", "--rules", rules)
    assert scanned["incomplete"] == rows["items"], scanned
    assert "run long, detector slow-0: a pattern" in h.stderr, h.stderr
    h.run("scan", "-c", "x")
    assert h.json("incomplete")["items"] == []


def test_many_slow_patterns_stop_and_the_others_go_on():
    h = Home()
    tails = ["", "z", "(?:q|z)"]
    patterns = [f"(?:{p}){tail}" for tail in tails for p in HOSTILE]
    rules = h.file("slow.yaml", pattern_rules(patterns) + "---\n" + pattern_rules([r"\bq\d{3}\b"]).replace("slow-0", "quick"))
    text = ("a" * 3000 + " " * 3000) * 2 + "!"
    messages = [{"role": "user" if i % 2 else "assistant", "content": text + f" q{i:03}"} for i in range(200)]
    log = h.file("a.jsonl", jsonl([{"id": "r", "messages": messages}]))
    only = ",".join(f"slow-{i}" for i in range(len(patterns))) + ",quick"
    began = time.monotonic()
    got = h.json("scan", "--rules", rules, "--only", only, "--jobs", "1", log)
    took = time.monotonic() - began
    # 2 s for all patterns of the run, one look of 120 ms more, 20 ms for each from then on, and what the bytes add
    assert took < 6 * COST, took
    slow = {r["detector"] for r in got["incomplete"]}
    assert len(slow) > 5 and "quick" not in slow, slow
    assert [f["captures"] for f in got["items"] if f["detector"] == "quick"] == [{}], got["items"]
    assert "incomplete: " in h.stderr and " more" in h.stderr, h.stderr


def test_a_new_rule_begins_with_one_that_holds():
    h = Home()
    assert "4 passed, 0 failed" in h.run("rules", "test", h.file("new.yaml", h.run("rules", "new", "my-rule", "--behavior", "gave-up")))
    path = os.path.join(h.path, "to.yaml")
    h.run("rules", "new", "my-rule", "--to", path)
    text = open(path).read()
    assert "id: my-rule\n" in text.replace("id: my-rule ", "id: my-rule\n") and "behavior: missing-program" in text and "# " in text, text
    h.run("rules", "new", "my-rule", "--to", path, status=3)  # never over what is there
    assert open(path).read() == text
    h.run("rules", "new", "a b", status=2)
    h.run("rules", "new", "a", "--behavior", "gave-upp", status=2)
    assert "did you mean 'gave-up'?" in h.stderr, h.stderr
    h.run("rules", "new", "a", "--like", "nothing", status=3)
    h.run("rules", "new", status=2)
    # each shipped rule can be begun with, and is the same rule but for its name
    ids = [d["id"] for d in h.lines("rules", "list")]
    files = [h.file(f"like-{i}.yaml", h.run("rules", "new", "mine-" + id, "--like", id)) for i, id in enumerate(ids)]
    out = h.run("rules", "test", *files)
    assert f" 0 failed ({len(ids)} rules)" in out, out


def test_the_catalogue_names_every_rule_and_what_none_sees():
    h = Home()
    docs = h.run("rules", "docs")
    rules = h.lines("rules", "list")
    for d in rules:
        assert f"\n#### {d['id']}\n" in docs and f"\n### {d['behavior']}\n" in docs, d["id"]
        assert f"\n## {d['kind']}\n" in docs
    schema = json.loads(h.run("rules", "schema"))
    vocabulary = [b["const"] for b in schema["$defs"]["behavior"]["anyOf"]]
    seen = {d["behavior"] for d in rules}
    assert f"{len(rules)} rules see {len(seen)} of the {len(vocabulary)} behaviours" in docs, docs[:300]
    for b in vocabulary:
        assert (f"\n- {b}: " in docs) == (b not in seen), b
    path = os.path.join(h.path, "catalogue.md")
    h.run("rules", "docs", "--to", path)
    assert open(path).read() == docs
    h.run("rules", "docs", "--to", os.path.join(h.path, "no", "where.md"), status=3)


def test_rules_say_what_they_checked_as_one_json_document():
    h = Home()
    good = "id: a\ntitle: t\nbehavior: missing-program\nevents:\n  m: { on: tool_result, text: 'not found' }\nfind: { any: m }\n"
    good += "tests:\n  hit:\n    - - {tool_call: bash, args: {cmd: a}}\n      - {tool_result: 'a: not found'}\n"
    path, bad = h.file("good.yaml", good), h.file("bad.yaml", "id: b\nfind: 7\n")
    lint = h.json("rules", "lint", path, bad, status=1)
    assert lint["rules"] == 1 and {p["file"] for p in lint["problems"]} == {bad} and all(p["line"] and p["message"] for p in lint["problems"]), lint
    assert h.json("rules", "test", path) == {"rules": 1, "problems": [], "passed": 1, "failed": 0, "failures": []}
    wrong = h.json("rules", "test", h.file("wrong.yaml", good.replace("'a: not found'", "'fine'")), status=1)
    assert (wrong["passed"], wrong["failed"]) == (0, 1) and "hit 1" in wrong["failures"][0], wrong
    shipped = h.json("rules", "test")
    assert shipped["failed"] == 0 and shipped["passed"] > 50 and shipped["problems"] == [], shipped


# ---- import -----------------------------------------------------------------------------------------------------------

def test_import_reports_in_the_shape_of_the_contract():
    h = Home()
    path = h.file("logs/a.jsonl", jsonl([chat("1"), chat("2")]) + "{broken\n")
    h.file("logs/notes.txt", "just words\n")
    r = h.json("import", os.path.join(h.path, "logs"), status=1)
    assert set(r) >= {"collection", "files", "runs", "messages", "bytes", "seconds", "formats", "repairs", "findings", "errors"}, r
    assert r["collection"]["name"] == "logs"
    assert r["files"] == {"read": 1, "skipped": 1, "failed": 0}, r
    assert r["runs"] == {"new": 2, "updated": 0, "duplicate": 0, "rejected": 1}, r
    assert r["messages"] == 4 and r["formats"] == {"openai-chat": 2} or list(r["formats"].values()) == [2], r
    places = {(os.path.basename(e["source"]), e["location"]) for e in r["errors"]}
    assert ("a.jsonl", "line 3") in places, r["errors"]
    assert any(e["source"].endswith("notes.txt") for e in r["errors"]), r["errors"]
    assert h.lines("runs")[0]["source"]["file"] == path


def test_screenshots_go_with_the_messages_that_they_were_sent_with():
    h = Home()
    chat = open(os.path.join(ROOT, "tests", "fixtures", "webvoyager", "good", "input.json")).read()
    pictures = {n: b"\x89PNG picture %d" % n for n in (1, 3)}
    h.file("t/taskShop--4/interact_messages.json", chat)
    for n, bytes in pictures.items():
        h.file(f"t/taskShop--4/screenshot{n}.png", bytes)
    h.file("t/taskShop--4/agent.log", "INFO - Iter: 0\nINFO - Prompt Tokens: 1200; Completion Tokens: 80\nINFO - Total cost: 0.5\n")
    r = h.json("import", os.path.join(h.path, "t"))
    assert r["formats"] == {"webvoyager": 1} and r["files"] == {"read": 4, "skipped": 0, "failed": 0}, r
    run, = h.lines("runs")
    assert (run["task_id"], run["name"], run["tokens_in"], run["tokens_out"], run["cost_usd"]) == ("Shop--4", "taskShop--4", 1200, 80, 0.5), run
    lines = [json.loads(line) for line in h.run("export", "-c", "t").splitlines()]
    messages = next(line for line in lines if "transcripts" in line)["transcripts"][0]["messages"]
    bytes_of = {line["blob"]["sha256"]: base64.b64decode(line["blob"]["data"]) for line in lines if "blob" in line}
    seen = [[bytes_of.get(b.get("sha256")) for b in m.get("blobs", [])] for m in messages]
    assert seen == [[], [pictures[1]], [], [None], [], [pictures[3]], []], seen
    assert messages[2]["usage"] == {"input_tokens": 1200, "output_tokens": 80}, messages[2]


def test_an_unpacked_eval_is_one_log():
    h = Home()
    head = {"version": 2, "eval": {"task": "sums", "model": "maker/model", "dataset": {"name": "d"}}, "plan": {"name": "solve", "steps": []}}
    h.file("log/_journal/start.json", json.dumps(head))
    h.file("log/_journal/summaries/1.json", json.dumps([{"id": 1, "epoch": 1, "input": "2+2", "target": "4"}]))
    for i in range(3):
        h.file(f"log/samples/{i}_epoch_1.json", json.dumps({"id": i, "epoch": 1, "input": "2+2", "target": "4", "scores": {"match": {"value": "C"}}, "messages": [
            {"role": "user", "content": "2+2"}, {"role": "assistant", "content": "4"}]}))
    h.file("log/samples/9_epoch_1.json", "{broken")
    first = h.json("import", os.path.join(h.path, "log"), status=1)
    assert first["runs"] == {"new": 3, "updated": 0, "duplicate": 0, "rejected": 1} and first["files"]["skipped"] == 0, first
    assert [(e["location"]) for e in first["errors"]] == ["samples/9_epoch_1.json"], first["errors"]
    runs = h.lines("runs")
    assert {(r["model"], r["name"], r["agent"], r["success"]) for r in runs} == {("maker/model", "sums", "solve", True)}, runs
    assert sum("log" in r["metadata"] for r in runs) == 1 and all(r["metadata"]["eval"]["task"] == "sums" for r in runs)
    h.file("log/header.json", json.dumps({**head, "status": "success", "results": {"total_samples": 4}})) # it is finished
    again = h.json("import", os.path.join(h.path, "log"), status=1)
    assert again["runs"] == {"new": 0, "updated": 1, "duplicate": 2, "rejected": 1}, again


def test_a_table_is_read_as_map_says():
    h = Home()
    path = h.file("t/talk.tsv", "who\twords, said\tchat\tgrade\tnote\nhuman\thello\t7\t1\tx\nbot\t\"a \"\"b\"\"\"\t7\t1\t\nhuman\talone\t8\t0\t\n")
    h.file("t/LICENSE", "Words, many of them, without end\nand more, not in rows\n")
    r = h.json("import", path, "-c", "x")
    assert r["files"] == {"read": 0, "skipped": 1, "failed": 0} and "--map" in r["errors"][0]["message"] and "words, said" in r["errors"][0]["message"], r
    wrong = h.json("import", path, "-c", "x", "--map", "content=Text,role=who", status=1)
    assert wrong["runs"]["rejected"] == 1 and 'no column "Text" for content' in wrong["errors"][0]["message"] and "chat" in wrong["errors"][0]["message"], wrong
    for map, says in (("contents=who", 'no field "contents"; the fields are content'), ("role=who", "needs content"), ("content", "names no column"),
                      ("content=who,content=chat", "given twice"), (",,,", 'no field ",,,"'), ("", "needs content")):
        h.run("import", path, "-c", "nothing", "--map", map, status=2)
        assert says in h.stderr, h.stderr
    assert [c["name"] for c in h.lines("collections")] == ["x"]
    h.run("collections", "add", "nightly")
    h.run("collections", "add", "nightly", status=3)
    assert "nightly" in h.stderr, h.stderr
    h.run("collections", "nightly", status=2)
    h.run("token", "create", "ci", "--scope", "ingest", "-c", "nightly")
    assert {c["name"]: c["runs"] for c in h.lines("collections")}["nightly"] == 0
    uneven = h.file("uneven.csv", "who,said\nhuman,hello\nbot,hi\nbot\n")
    wrong = h.json("import", uneven, "-c", "x", "--map", "content=nope", status=1)
    assert wrong["runs"]["rejected"] == 1 and 'no column "nope" for content; the columns are who, said' in wrong["errors"][0]["message"], wrong
    r = h.json("import", os.path.join(h.path, "t"), "-c", "x", "--map", 'content="words, said",role=WHO,run=chat,score=grade')
    assert r["formats"] == {"csv": 2} and r["messages"] == 3 and r["files"]["skipped"] == 1, r
    runs = {run["external_id"]: run for run in h.lines("runs", "-c", "x")}
    assert set(runs) == {"7", "8"} and runs["7"]["scores"][0]["name"] == "grade" and runs["7"]["scores"][0]["value"] == 1, runs
    said = h.json("sql", "SELECT role, text, metadata FROM messages WHERE run = (SELECT id FROM runs WHERE external_id = '7') ORDER BY \"index\"")["rows"]
    assert said == [["user", "hello", '{"note":"x"}'], ["assistant", 'a "b"', None]], said


def test_annotations_are_labels_and_stay_with_their_run():
    h, other = Home(), Home()
    def trace(*notes):
        return jsonl([{"index": 4, "messages": chat("", "first\nsecond")["messages"], "annotations": [
            {"content": note, "address": "messages[0].content:L1", "user": {"username": "ann"}, "time_created": "2026-01-02T03:04:05Z"} for note in notes]}])
    path = h.file("t.jsonl", trace("why?"))
    assert h.json("import", path)["formats"] == {"invariant": 1}
    run, = h.lines("runs")
    label = {"set": "annotations", "who": "ann", "when": "2026-01-02T03:04:05Z"}
    assert [{k: l[k] for k in label} for l in run["labels"]] == [label], run["labels"]
    assert run["labels"][0]["value"]["evidence"] == {"transcript": "0", "message": 0, "part": "text", "start": 6, "end": 12, "quote": "second"}
    sql = "SELECT run, label_set, value ->> 'note', who, \"when\" FROM labels"
    assert h.json("sql", sql)["rows"] == [[run["id"], "annotations", "why?", "ann", "2026-01-02T03:04:05Z"]]
    assert h.json("import", path)["runs"]["duplicate"] == 1
    # A note more is no other run.
    h.file("t.jsonl", trace("why?", "and here"))
    assert h.json("import", path)["runs"] == {"new": 0, "updated": 1, "duplicate": 0, "rejected": 0}
    assert [row[2] for row in h.json("sql", sql)["rows"]] == ["why?", "and here"] and h.lines("runs")[0]["id"] == run["id"]
    exported = h.run("export", "-c", "t")
    other.run("import", other.file("x.jsonl", exported), "-c", "t")
    assert other.run("export", "-c", "t") == exported
    assert h.json("import", h.file("x.jsonl", exported), "-c", "t")["runs"]["duplicate"] == 1


def test_importing_twice_changes_nothing():
    h = Home()
    path = h.file("a.jsonl", jsonl([chat(str(i), f"task {i}") for i in range(50)]))
    first, second = h.json("import", path), h.json("import", path)
    assert first["runs"]["new"] == 50 and second["runs"] == {"new": 0, "updated": 0, "duplicate": 50, "rejected": 0}, second
    other = h.json("import", h.file("copy.jsonl", open(path).read()), "-c", "a")
    assert other["runs"]["duplicate"] == 50 and other["runs"]["new"] == 0, other


def test_a_file_that_grew_updates_what_changed_and_adds_what_is_new():
    h = Home()
    path = h.file("a.jsonl", jsonl([chat("1"), chat("2")]))
    h.run("import", path)
    before = {r["external_id"]: r["id"] for r in h.lines("runs")}
    h.file("a.jsonl", jsonl([chat("1"), chat("2", "changed"), chat("3")]))
    r = h.json("import", path)
    assert r["runs"] == {"new": 1, "updated": 1, "duplicate": 1, "rejected": 0}, r
    after = {x["external_id"]: x["id"] for x in h.lines("runs")}
    assert {k: after[k] for k in before} == before and len(after) == 3


def test_what_was_refused_is_refused_again():
    h = Home()
    path = h.file("a.jsonl", jsonl([chat("1")]) + "{broken\n")
    for runs in ({"new": 1, "updated": 0, "duplicate": 0, "rejected": 1}, {"new": 0, "updated": 0, "duplicate": 1, "rejected": 1}):
        assert h.json("import", path, status=1)["runs"] == runs


def test_the_same_id_in_another_file_is_another_run():
    h = Home()
    h.run("import", h.file("a.jsonl", jsonl([chat("1", "one")])), "-c", "c")
    r = h.json("import", h.file("b.jsonl", jsonl([chat("1", "two")])), "-c", "c")
    assert r["runs"]["new"] == 1, r
    assert len(h.lines("runs")) == 2


def test_ids_that_repeat_inside_a_file_all_land():
    h = Home()
    path = h.file("a.jsonl", jsonl([chat("same", f"text {i}") for i in range(5)]))
    assert h.json("import", path)["runs"]["new"] == 5
    os.utime(path, (1, 1))
    h.file("a.jsonl", open(path).read() + jsonl([chat("last")]))
    r = h.json("import", path)
    assert r["runs"] == {"new": 1, "updated": 0, "duplicate": 5, "rejected": 0}, r


def claude_line(id, parent, role, content, session, **more):
    return {"uuid": id, "parentUuid": parent, "sessionId": session, "isSidechain": "agentId" in more, "type": role,
            "message": {"role": role, "content": content}, **more}


def test_sub_agents_beside_a_session_are_read_with_it():
    h = Home()
    calls = [{"type": "tool_use", "id": i, "name": "Task", "input": {"prompt": i}} for i in ("call-new", "call-old")]
    h.file("p/one.jsonl", jsonl([claude_line("1", None, "user", "go", "one"), claude_line("2", "1", "assistant", calls, "one"),
                                 claude_line("3", "2", "user", [{"type": "tool_result", "tool_use_id": "call-old", "content": "ok"}], "one",
                                             toolUseResult={"agentId": "old"})]))
    h.file("p/one/subagents/agent-new.jsonl", jsonl([claude_line("4", None, "user", "other words", "agent-new", agentId="new")]) + "{\"cut")
    h.file("p/one/subagents/agent-new.meta.json", json.dumps({"agentType": "Explore", "toolUseId": "call-new"}))
    h.file("p/agent-old.jsonl", jsonl([claude_line("5", None, "user", "look", "one", agentId="old")]))
    h.file("p/agent-lone.jsonl", jsonl([claude_line("6", None, "user", "nobody's", "two", agentId="lone")]))
    r = h.json("import", os.path.join(h.path, "p"), "-c", "c", status=1)
    assert r["runs"]["new"] == 2 and r["errors"][0]["location"] == "one/subagents/agent-new.jsonl line 2", r
    runs = {r["external_id"]: r for r in map(json.loads, h.run("export", "-c", "c").splitlines()) if "transcripts" in r}
    agents = {t["id"]: (t.get("parent"), t.get("metadata", {}).get("tool_call_id")) for t in runs["one"]["transcripts"]}
    assert agents == {"one": (None, None), "new": ("one", "call-new"), "old": ("one", "call-old")}, agents
    assert len(runs["two"]["transcripts"]) == 1


def test_simulations_beside_their_results_are_read_with_them():
    h = Home()
    about = {"info": {"agent_info": {"llm": "m-1"}}, "tasks": [{"id": "4", "evaluation_criteria": {"actions": []}, "ticket": "lost"}]}
    h.file("exp/results.json", json.dumps(about))
    for n in range(2):
        h.file(f"exp/simulations/s{n}.json", json.dumps({"id": f"s{n}", "task_id": "4", "trial": n, "termination_reason": "user_stop",
                                                         "reward_info": {"reward": n}, "messages": [{"role": "user", "content": f"hello {n}"}]}))
    h.file("exp/simulations/broken.json", '{"id": "x", ')
    r = h.json("import", os.path.join(h.path, "exp"), status=1)
    assert r["runs"]["new"] == 2 and r["formats"] == {"tau2-bench": 2} and r["errors"][0]["location"] == "simulations/broken.json", r
    runs = sorted(h.lines("runs"), key=lambda x: x["external_id"])
    assert [(x["external_id"], x["model"], x["success"], x["source"]["location"]) for x in runs] == [
        ("s0#t0", "m-1", False, "simulations/s0.json"), ("s1#t1", "m-1", True, "simulations/s1.json")], runs
    assert runs[0]["metadata"]["task"]["ticket"] == "lost" and runs[0]["source"]["file"].endswith("results.json"), runs[0]


def test_a_dry_run_shows_where_fields_go():
    home = Home()
    body = json.dumps({"id": "r1", "stream": True, "created": 1700000000, "messages": [
        {"role": "human", "content": "Say it."},
        {"role": "assistant", "content": "It.", "mood": "calm", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "say", "arguments": "{\"word\": \"it\"}"}}]}]})
    r = home.json("import", home.file("a.json", body), "--dry-run")
    to = {x["field"]: (x["to"], x["lost"]) for x in r["fields"]["openai-chat"]}
    assert to["id"] == ({"run.external_id": 1}, 0), to
    assert to["stream"] == ({"run.metadata": 1}, 0), to
    assert to["messages[].role"] == ({"message.role": 2}, 0), to
    assert to["messages[].content"] == ({"message.text": 2}, 0), to
    assert to["messages[].mood"] == ({"message.metadata": 1}, 0), to
    assert to["messages[].tool_calls[].function.arguments"] == ({"call.arguments": 1}, 0), to
    assert to["messages[].tool_calls[].type"] == ({}, 1), to
    text = home.run("import", home.file("a.json", body), "--dry-run")
    assert re.search(r"messages\[\]\.mood +1  message\.metadata", text), text


def test_a_dry_run_of_a_table_shows_where_its_columns_go():
    home = Home()
    path = home.file("a.csv", "run_id,role,content,mood\n1,user,Say it.,calm\n1,assistant,It.,\n")
    r = home.json("import", path, "--dry-run")
    to = {x["field"]: (x["to"], x["lost"]) for x in r["fields"]["csv"]}
    assert to == {"run_id": ({"run.external_id": 2}, 0), "role": ({"message.role": 2}, 0), "content": ({"message.text": 2}, 0),
                  "mood": ({"message.metadata": 1}, 0)}, to


def test_attachments_named_many_times_stay_folded():
    h = Home()
    path = os.path.join(h.path, "bomb.eval")
    sent = [{"event": "model", "input": [{"role": "user", "content": "attachment://h"}] * 200, "output": {"choices": []}}]
    sample = {"id": "a", "epoch": 1, "input": "q", "target": "t", "attachments": {"h": "A" * (1 << 20)}, "events": sent,
              "messages": [{"role": "user", "content": "attachment://h"}, {"role": "assistant", "content": "ok"}]}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as log:
        log.writestr("header.json", json.dumps({"version": 2, "eval": {"task": "t", "model": "m"}, "plan": {}}))
        log.writestr("samples/a_epoch_1.json", json.dumps(sample))
    h.run("import", path, "-c", "c")
    run = h.lines("runs", "-c", "c")[0]
    events = run["metadata"]["event_messages"]
    unfolded = sum(m["content"] == "A" * (1 << 20) for m in events)
    assert 0 < unfolded <= 64 and unfolded + sum(m["content"] == "attachment://h" for m in events) == len(events) == 199, len(events)
    assert run["metadata"]["attachments"] == sample["attachments"]


def test_names_in_an_archive_are_only_names():
    h = Home()
    path = os.path.join(h.path, "names.zip")
    good, bad = jsonl([chat("x")]), '{"messages":[{"role":"user","content":"cut'
    names = ["../../slip.jsonl", "/abs.jsonl", "same.jsonl", "same.jsonl", "n" * 5000 + ".jsonl", "odd.jsonl"]
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as z:
        warnings.simplefilter("ignore")
        for i, name in enumerate(names):
            z.writestr(name, good.replace("hello", f"hello {i}"))
        z.writestr("new\nline \x1b[31m \u202egnp.jsonl", bad)
    packed = bytearray(open(path, "rb").read())
    for at in (packed.find(b"odd.jsonl") - 22, packed.rfind(b"odd.jsonl") - 36):
        packed[at:at + 2] = (77).to_bytes(2, "little")  # a compression method that nobody knows
    h.file("names.zip", bytes(packed))
    report = h.run("import", path, "-c", "c", status=1)
    assert "refused" in report and "new\\x0aline \\x1b[31m \\xe2\\x80\\xaegnp.jsonl: " in report, report
    assert "odd.jsonl: cannot be unpacked: Unsupported ZIP compression method" in report, report
    places = sorted(r["source"]["location"] for r in h.lines("runs", "-c", "c"))
    assert len(places) == 5 and places[0].startswith("../../slip.jsonl") and places[1].startswith("/abs.jsonl"), places
    assert not any(name.endswith("slip.jsonl") for _, _, files in os.walk(h.path) for name in files)


def test_archives_inside_an_archive_are_read_once():
    home = Home()
    def tar(files):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as t:
            for name, body in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(body)
                t.addfile(entry, io.BytesIO(body))
        return out.getvalue()
    def pack(files):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
            for name, body in files.items():
                z.writestr(name, body)
        return out.getvalue()
    line = lambda id: (json.dumps(chat(id)) + "\n").encode()
    log = pack({"_journal/start.json": json.dumps({"version": 2, "eval": {"task": "t", "model": "m"}, "plan": {}}),
                "samples/s_epoch_1.json": json.dumps({"id": "s", "epoch": 1, "input": "do", "target": "x", "messages": [{"role": "user", "content": "do"}]})})
    archive = tar({"plain.jsonl": line("plain"), "packed.jsonl.gz": gzip.compress(line("packed")), "logs/one.eval": log,
                   "deep.zip": pack({"deeper.jsonl.gz": gzip.compress(line("deeper")), "beside.jsonl": line("beside")})})
    r = home.json("import", home.file("all.tar", archive), status=1)
    runs = {x["external_id"]: x["source"]["location"] for x in home.lines("runs", "-c", "all")}
    assert runs == {"plain": "plain.jsonl", "packed": "packed.jsonl.gz", "s#e1": "logs/one.eval samples/s_epoch_1.json",
                    "beside": "deep.zip beside.jsonl"}, runs
    assert [(e["location"], e["code"]) for e in r["errors"]] == [("deep.zip deeper.jsonl.gz", "too_large")], r["errors"]
    again = home.json("import", home.file("all.tar", archive), "-c", "all", status=1)
    assert again["runs"] == {"new": 0, "updated": 0, "duplicate": 4, "rejected": 1}, again["runs"]
    # Two files of an archive may hold runs of the same name; a third that comes before them changes neither.
    home.json("import", home.file("two.tar", tar({"b/x.jsonl": line("same"), "c/x.jsonl": line("same")})))
    r = home.json("import", home.file("two.tar", tar({"a/x.jsonl": line("same"), "b/x.jsonl": line("same"), "c/x.jsonl": line("same")})))
    assert r["runs"] == {"new": 1, "updated": 0, "duplicate": 2, "rejected": 0}, r["runs"]


def test_a_watched_folder_stays_imported():
    home = Home()
    folder = os.path.join(os.path.dirname(home.db), "logs")
    os.mkdir(folder)
    def write(name, text, mode="w"):
        with open(os.path.join(folder, name), mode) as f:
            f.write(text)
    def wait_for(count):
        for _ in range(150):
            rows = {}
            if os.path.exists(home.db):
                try:
                    rows = {r["external_id"]: r["messages"] for r in home.lines("runs", "-c", "live")}
                except AssertionError:
                    pass
            if rows == count:
                return
            time.sleep(0.1)
        raise AssertionError(f"{rows}, not {count}")
    write("a.json", json.dumps(chat("a")))
    watcher = subprocess.Popen([PROGRAM, "--db", home.db, "import", folder, "-c", "live", "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for({"a": 2})
        line = lambda role, text: json.dumps({"role": role, "content": text}) + "\n"
        write("b.jsonl", line("user", "hi") + line("assistant", "hello"))
        wait_for({"a": 2, "b.jsonl": 2})
        write("b.jsonl", line("user", "more") + line("assistant", "enough"), "a")
        wait_for({"a": 2, "b.jsonl": 4})
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(10) == 0
    finally:
        watcher.kill()
        watcher.communicate()
    log = os.path.join(folder, "b.jsonl")
    watcher = subprocess.Popen([PROGRAM, "--db", home.db, "import", log, "-c", "live", "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        time.sleep(1.5 * min(COST, 4))
        os.rename(log, log + ".1") # rotated away
        said = watcher.stderr.readline()
        time.sleep(1)
        assert watcher.poll() is None
        write("b.jsonl", line("user", "again") + line("assistant", "yes") + line("user", "bye"))
        wait_for({"a": 2, "b.jsonl": 3})
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(10) == 0
    finally:
        watcher.kill()
        said += watcher.communicate()[1]
    assert said.count(b"cannot open") == 1, said
    home.run("import", "-", "-c", "x", "--watch", status=2)
    home.run("import", folder, "--watch", "--json", status=2)


def test_trajectories_that_another_refers_to_are_its_transcripts():
    h = Home()
    step = lambda n, source, text, **m: {"step_id": n, "source": source, "message": text, **m}
    doc = lambda id, steps, **m: json.dumps({"schema_version": "ATIF-v1.5", "session_id": id, "agent": {"name": "t", "version": "2"}, "steps": steps, **m})
    ref = {"results": [{"subagent_trajectory_ref": [{"session_id": "sum", "trajectory_path": "logs/trajectory.summary.json"}]}]}
    h.file("a/trajectory.json", doc("main", [step(1, "user", "go"), step(2, "system", "handoff", observation=ref)],
                                    continued_trajectory_ref="trajectory.cont-1.json"))
    h.file("a/trajectory.summary.json", doc("sum", [step(1, "agent", "short")]))
    h.file("a/trajectory.cont-1.json", doc("main-cont", [step(1, "user", "go", is_copied_context=True), step(2, "agent", "gone")],
                                           continued_trajectory_ref="trajectory.json"))
    h.file("a/trajectory.stranger.json", doc("stranger", [step(1, "user", "alone")]))
    r = h.json("import", os.path.join(h.path, "a"))
    assert r["runs"]["new"] == 2 and r["messages"] == 7, r
    run = next(json.loads(line) for line in h.run("export").splitlines() if '"main"' in line)
    shape = [(t.get("name"), t.get("parent"), len(t["messages"]), (t.get("metadata") or {}).get("continues")) for t in run["transcripts"]]
    assert shape == [(None, None, 3, None), ("trajectory.summary.json", "1", 1, None), ("trajectory.cont-1.json", None, 2, True)], shape
    assert run["transcripts"][2]["messages"][0]["metadata"]["is_copied_context"] is True


def test_a_terminal_bench_run_is_read_with_what_stands_beside_its_trials():
    h = Home()
    trial = {"trial_name": "count.1-of-1.x", "task_id": "count", "instruction": "Count.", "is_resolved": True, "failure_mode": "unset"}
    other = dict(trial, trial_name="gone.1-of-1.x", task_id="gone", is_resolved=False)
    at = "run/count/count.1-of-1.x/"
    h.file("run/results.json", json.dumps({"results": [trial, other], "accuracy": 0.5, "n_resolved": 1}))
    h.file(at + "results.json", json.dumps(trial))
    h.file(at + "sessions/agent.cast", '{"version": 2, "width": 80, "height": 24}\n[0.5, "i", "ls\\r"]\n[1, "o", "a.py"]\n')
    h.file(at + "panes/post-test.txt", b"2 passed \xff\n")
    for n, file, text in [(10, "prompt", "state 10"), (2, "response", "go"), (2, "prompt", "state 2"), (10, "response", "done")]:
        h.file(f"{at}agent-logs/episode-{n}/{file}.txt", text)
    r = h.json("import", os.path.join(h.path, "run"))
    assert r["runs"]["new"] == 2 and r["formats"] == {"terminal-bench": 2} and not r["errors"], r
    runs = {x["external_id"]: x for x in map(json.loads, h.run("export").splitlines()) if "external_id" in x}
    assert len(runs["gone.1-of-1.x"]["transcripts"]) == 1, runs["gone.1-of-1.x"]
    run = runs["count.1-of-1.x"]
    said = [[m["content"] for m in t["messages"]] for t in run["transcripts"]]
    assert said == [["Count.", "state 2", "go", "state 10", "done"], [None, "a.py"], ["2 passed \ufffd\n"]], said
    assert [t.get("name") for t in run["transcripts"]] == [None, "sessions/agent.cast", "files"] and run["success"] is True, run


def test_rounds_that_repeat_the_conversation_are_read_once():
    h = Home()
    talk = [{"role": "system", "content": "You are a software developer maintaining a large project."}, {"role": "user", "content": "<issue>x</issue>"},
            {"role": "assistant", "content": "search"}, {"role": "user", "content": "found"}, {"role": "assistant", "content": "fix"}]
    proxy = [[{"role": "system", "content": "You are a helpful assistant that retreive API calls"}, {"role": "assistant", "content": "{}"}, 7]]
    h.file("t/meta.json", json.dumps({"task_id": "lib__lib-1", "setup_info": {"repo_path": "/r"}, "task_info": {"repo": "lib"}}))
    h.file("t/cost.json", json.dumps({"model": "m-1", "total_input_tokens": 10, "total_output_tokens": 2, "total_cost": 0.5, "start_epoch": 1712380791.5}))
    for n, upto in [(2, 3), (10, 5)]:
        h.file(f"t/conversation_round_{n}.json", json.dumps(talk[:upto] + [["no", "message"]]))
    h.file("t/agent_proxy_0.json", json.dumps(proxy))
    h.file("t/tool_call_layers.json", json.dumps([[{"func_name": "search_class", "call_ok": True}]]))
    r = h.json("import", os.path.join(h.path, "t"))
    assert r["runs"]["new"] == 1 and r["messages"] == 7 and r["formats"] == {"auto-code-rover": 1}, r
    run = h.lines("runs")[0]
    assert (run["external_id"], run["model"], run["tokens_in"], run["cost_usd"], run["started_at"]) == (
        "lib__lib-1", "m-1", 10, 0.5, "2024-04-06T05:19:51.5Z"), run
    assert [(t["name"], t["parent"], t["messages"]) for t in run["transcripts"]] == [(None, None, 5), ("agent_proxy_0.json", "1", 2)], run["transcripts"]
    assert [run["metadata"].get(k) for k in ("agent_proxy_0.json[0]", "conversation_round_2.json", "conversation_round_10.json")] == [
        {"other_messages": [7]}, {"other_messages": [["no", "message"]]}, {"other_messages": [["no", "message"]]}], run["metadata"]


def test_a_harbor_trial_is_read_with_its_trajectory():
    h = Home()
    result = {"trial_name": "count__1", "task_name": "count", "agent_info": {"name": "t-2", "version": "2"}, "verifier_result": {"rewards": {"reward": 0.0}}}
    h.file("job/count__1/result.json", json.dumps(result))
    h.file("job/count__1/agent/trajectory.json", json.dumps({"schema_version": "ATIF-v1.6", "session_id": "s", "agent": {"name": "t-2", "version": "2",
           "model_name": "m-1"}, "steps": [{"step_id": 1, "source": "user", "message": "Count."}], "continued_trajectory_ref": "trajectory.cont-1.json"}))
    h.file("job/count__1/agent/trajectory.cont-1.json", json.dumps({"schema_version": "ATIF-v1.6", "session_id": "s2", "agent": {"name": "t-2", "version": "2"},
           "steps": [{"step_id": 1, "source": "agent", "message": "Two."}]}))
    h.file("job/count__1/verifier/test-stdout.txt", "1 failed\n")
    h.file("job/result.json", json.dumps({"id": "j", "n_total_trials": 1, "stats": {}}))
    r = h.json("import", os.path.join(h.path, "job"))
    assert r["runs"]["new"] == 1 and r["messages"] == 3, r
    run = h.lines("runs")[0]
    assert (run["external_id"], run["task_id"], run["model"], run["agent"], run["success"]) == ("count__1", "count", "m-1", "t-2", False), run


def test_stdin_gzip_and_dry_run():
    h = Home()
    body = jsonl([chat("1"), chat("2")]).encode()
    assert h.json("import", "-", "-c", "s", stdin=body)["runs"]["new"] == 2
    assert h.json("import", h.file("z.jsonl.gz", gzip.compress(body)))["runs"]["new"] == 2
    dry = Home()
    r = dry.json("import", dry.file("a.jsonl", body), "--dry-run")
    assert r["runs"]["new"] == 2 and not os.path.exists(dry.db)


def test_streams_do_not_overwrite_one_another():
    h = Home()
    for text in ("one", "two"):
        h.run("import", "-", "-c", "s", stdin=jsonl([{"messages": [{"role": "user", "content": text}]}]).encode())
    assert len(h.lines("runs")) == 2
    done = subprocess.run([PROGRAM, "--db", h.db, "import", "-", "-c", "s"], stdin=os.open("/tmp", os.O_RDONLY), capture_output=True)
    assert done.returncode == 3 and b"stdin" in done.stderr, done


def test_an_interrupted_import_ends_cleanly_and_resumes():
    h = Home()
    path = h.file("big.jsonl", jsonl([chat(str(i), "some words that differ %d " % i * 200) for i in range(6000)]))
    p = subprocess.Popen([PROGRAM, "--db", h.db, "import", path, "-c", "big"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not os.path.exists(h.db): # the signals are looked at from before that on
        time.sleep(0.02)
    time.sleep(0.1)
    p.send_signal(signal.SIGINT)
    started = time.time()
    p.communicate(timeout=20 * COST)
    assert time.time() - started < 10 * COST and p.returncode in (0, 3), p.returncode
    h.run("import", path, "-c", "big")
    rows = h.json("sql", "SELECT count(*), count(DISTINCT external_id) FROM runs")["rows"]
    assert rows == [[6000, 6000]], rows


def test_two_imports_at_once_both_land():
    h = Home()
    h.run("import", h.file("seed.jsonl", jsonl([chat("seed")])), "-c", "c")
    paths = [h.file(f"{k}.jsonl", jsonl([chat(f"{k}-{i}", f"{k} words {i}") for i in range(500)])) for k in range(4)]
    jobs = [subprocess.Popen([PROGRAM, "--db", h.db, "-q", "import", p, "-c", "c"], stdout=subprocess.DEVNULL) for p in paths]
    assert [j.wait(timeout=120) for j in jobs] == [0, 0, 0, 0]
    assert h.json("sql", "SELECT count(*) FROM runs")["rows"] == [[2001]]


# ---- lists, search, SQL -------------------------------------------------------------------------------------------------

def sample_home():
    h = Home()
    h.run("import", os.path.join(SAMPLE, "data"), "-c", "sample")
    return h


def test_runs_have_every_field_of_the_data_model():
    h = sample_home()
    rows = h.lines("runs")
    assert len(rows) >= 100
    fields = {"id", "external_id", "name", "task_id", "model", "agent", "attempt", "started_at", "ended_at", "success", "exit_status", "error", "limit",
              "tokens_in", "tokens_out", "cost_usd", "tags", "metadata", "source", "content_hash", "scores"}
    for r in rows:
        assert fields <= set(r), fields - set(r)
        assert set(r["source"]) == {"file", "location", "format"} and isinstance(r["scores"], list)
        assert r["success"] in (True, False, None)
    assert {r["source"]["format"] for r in rows} >= {"inspect", "openai-chat", "tau-bench", "native"}, {r["source"]["format"] for r in rows}
    failed = h.lines("runs", "--success", "false")
    assert 0 < len(failed) < len(rows) and all(r["success"] is False for r in failed)
    assert len(h.lines("runs", "--limit", "7")) == 7


def test_findings_name_their_evidence_and_the_words_are_there():
    h = sample_home()
    findings = h.lines("findings")
    assert findings
    texts = {}
    for f in findings:
        assert f["evidence"], f
        assert set(f) >= {"id", "detector", "detector_version", "behavior", "kind", "severity", "confidence", "title", "message", "scope", "status", "note",
                          "task_id", "run", "evidence"}
        assert (f["run"] is None) == (f["scope"] != "run")
        for e in f["evidence"]:
            assert set(e) >= {"run", "transcript", "message", "part", "start", "end", "quote"}
            if e["message"] is not None and e["part"] == "text":
                key = (e["run"], e["transcript"], e["message"])
                if key not in texts:
                    q = f"SELECT text FROM messages WHERE run = '{e['run']}' AND transcript = '{e['transcript']}' AND \"index\" = {e['message']}"
                    texts[key] = h.json("sql", q)["rows"][0][0]
                assert texts[key].encode()[e["start"]:e["end"]].decode() == e["quote"], (f["detector"], e)


def test_the_sample_tells_its_true_stories():
    h = sample_home()
    truth = list(csv.DictReader(open(os.path.join(SAMPLE, "truth.tsv")), delimiter="\t", quoting=csv.QUOTE_NONE))
    runs = {(os.path.basename(r["source"]["file"]), r["external_id"]): r for r in h.lines("runs")}
    found = {}
    for f in h.lines("findings"):
        if f["run"] and f["severity"] != "low":
            found.setdefault((os.path.basename(f["run"]["source"]["file"]), f["run"]["external_id"]), set()).add(f["behavior"])
    assert {(t["file"].split("/")[-1], t["run"]) for t in truth} == set(runs), "the truth names the runs that there are"
    for t in truth:
        r = runs[(t["file"].split("/")[-1], t["run"])]
        assert r["task_id"] == t["task"] and r["model"] == t["model"] and r["success"] is (t["success"] == "true"), (t, r["task_id"], r["model"], r["success"])
    stories = {"missing-program", "missing-package", "missing-file", "wrong-key", "service-down", "permission-blocked", "leaked-answer"}
    told = {t["task"] for t in truth if t["story"] in stories}
    broken = {t["task_id"] for t in h.lines("tasks") if t["verdict"] == "broken"}
    assert len(told) == 7 and broken == told, (broken - told, told - broken)
    quiet = [t for t in truth if t["behavior"] == "none" and t["task"] not in broken]
    noisy = [t for t in quiet if found.get((t["file"].split("/")[-1], t["run"]))]
    assert len(noisy) <= len(quiet) // 20, [(t["run"], found[(t["file"].split("/")[-1], t["run"])]) for t in noisy]


def test_search_finds_words_and_patterns_with_their_place():
    h = Home()
    h.run("import", h.file("a.jsonl", jsonl([chat("1", "a needle in\nthe hay"), chat("2", "only hay"), chat("3", "N\u00c9EDLE 42")])))
    hits = h.lines("search", "needle")
    assert [x["external_id"] for x in hits] == ["1"] and hits[0]["line"] == "a needle in" and hits[0]["start"] == 2, hits
    assert {x["external_id"] for x in h.lines("search", "--regex", r"n\w+edle \d+|hay$")} >= {"1", "2"}
    assert h.lines("search", "n\u00e9edle")[0]["external_id"] == "3"
    assert h.lines("search", "absent words") == []
    assert [x["role"] for x in h.lines("search", "done", "--role", "assistant")] == ["assistant"] * 3
    assert [x["external_id"] for x in h.lines("search", "hay needle")] == ["1"] and h.lines("search", '"hay needle"') == []
    counted = h.json("search", "done", "--facets")
    assert counted["total"] == 3 and {"field": "role", "value": "assistant", "hits": 3} in counted["items"], counted
    assert [x["hits"] for x in h.lines("search", "hay", "--facets", "--role", "user") if x["field"] == "role"] == [2]


def test_sql_answers_in_columns_and_refuses_to_write():
    h = sample_home()
    a = h.json("sql", "SELECT model, count(*) AS n FROM runs GROUP BY model ORDER BY n DESC")
    assert a["columns"] == ["model", "n"] and a["truncated"] is False and len(a["rows"]) == 2
    assert len(h.json("sql", "SELECT * FROM messages", "--limit", "3")["rows"]) == 3
    for view in "collections runs scores transcripts messages tool_calls findings evidence labels tasks judgments".split():
        h.json("sql", f"SELECT * FROM {view} LIMIT 1")
    for bad in ["DELETE FROM runs", "ATTACH 'x' AS y", "PRAGMA user_version = 9", "SELECT load_extension('x')", "SELECT nonsense FROM runs"]:
        done = subprocess.run([PROGRAM, "--db", h.db, "sql", bad], capture_output=True, timeout=60)
        assert done.returncode != 0 and done.stderr, bad
    assert set(h.json("sql", "SELECT success FROM runs")["rows"][0]) <= {0, 1, None}


def test_a_long_query_ends_when_it_is_told_to():
    h = sample_home()
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    p = subprocess.Popen([PROGRAM, "--db", h.db, "sql", slow], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    p.send_signal(signal.SIGTERM)
    assert p.wait(timeout=10) == 3


def test_a_query_ends_after_its_time():
    h = sample_home()
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d) SELECT count(*) FROM n"
    h.run("sql", slow % 10**12, "--timeout", "1", status=1)
    assert "longer than 1 s" in h.stderr and "--timeout" in h.stderr, h.stderr
    assert h.json("sql", slow % 1000, "--timeout", "0")["rows"] == [[1000]]
    assert h.json("sql", "SELECT 9e999, -9e999, NULL")["rows"] == [["Infinity", "-Infinity", None]]
    h.run("sql", "SELECT 1", "--timeout", "soon", status=2)


def test_a_name_that_no_run_has_is_told_with_those_there_are():
    h = Home()
    scored = chat("1")
    h.run("import", h.file("a.jsonl", jsonl([scored])))
    assert h.run("runs", "--range", "score.x=1..", "--json", status=2) == h.run("runs", "--range", "score.x=1..", status=2) == ""
    assert "no run here has a score" in h.stderr, h.stderr
    h = sample_home()
    names = [r[0] for r in h.json("sql", "SELECT DISTINCT name FROM scores ORDER BY 1")["rows"]]
    assert names
    for filter in (("--range", "score=0.5.."), ("--range", "score.nothing=0.5.."), ("--score", "nothing=1")):
        for command in ("runs", "findings", "tasks"):
            h.run(command, *filter, status=2)
            assert names[0] in h.stderr, (filter, h.stderr)
    h.run("runs", "--range", f"score.{names[0]}=-1e9..")
    h.run("runs", "--range", "meta.nothing=1..", status=2)
    assert "metadata" in h.stderr, h.stderr


def test_import_counts_findings_as_findings():
    h = Home()
    said = h.run("import", os.path.join(SAMPLE, "data"), "-c", "s")
    n = h.json("sql", "SELECT count(*) FROM findings")["rows"][0][0]
    assert f"\n{n} findings: " in said, said


def test_answers_of_any_width_and_exact_numbers():
    h = Home()
    h.run("import", h.file("a.jsonl", jsonl([chat("1")])))
    assert len(h.run("sql", "SELECT " + ", ".join(map(str, range(100)))).split()) == 200
    assert h.run("sql", "SELECT 1234567.25 AS a, 2 AS a", "--output", "csv").split() == ["a,a_2", "1234567.25,2"]
    assert h.lines("sql", "SELECT 1 AS a, 2 AS a") == [{"a": 1, "a_2": 2}]


def test_tables_and_csv_are_for_people():
    h = sample_home()
    table = h.run("tasks")
    assert "verdict" in table.splitlines()[0] and "broken" in table
    for row, finding in zip(csv.DictReader(io.StringIO(h.run("findings", "--output", "csv"))), h.lines("findings"), strict=True):
        assert (row["detector"], row["id"], row["part"]) == (finding["detector"], finding["id"], finding["evidence"][0]["part"]), row
        assert row["file"] == (finding["run"]["source"]["file"] if finding["run"] else ""), row
    assert "detector" not in h.run("findings").splitlines()[0]
    rows = list(csv.DictReader(io.StringIO(h.run("runs", "--output", "csv"))))
    assert len(rows) >= 100 and rows[0]["task"]


# ---- scan, rules ----------------------------------------------------------------------------------------------------------

def test_scan_again_changes_nothing_and_fails_on_what_is_asked():
    h = sample_home()
    before = sorted(f["id"] for f in h.lines("findings"))
    after = sorted(f["id"] for f in h.lines("scan"))
    assert before == after
    assert "0 changed" in h.stderr, h.stderr
    h.run("scan", "--fail-on", "high", status=1)
    h.run("scan", "--only", "no-such-detector", status=3)


def test_scan_of_files_keeps_no_database():
    h = Home()
    path = h.file("a.jsonl", jsonl([chat("1")]))
    h.run("scan", path)
    assert not os.path.exists(h.db)
    h.run("scan", h.file("cut.jsonl", jsonl([chat("1")]) + '{"messages": [{'), status=1)
    h.run("scan", path, "--only", ",", status=2)


RULE = """id: says-hello
title: says hello
behavior: off-task
severity: high
why: it is a test
unsure: nothing
events:
  hi: {on: user, text: 'hello'}
find: {any: hi}
tests:
  hit: [[{user: 'hello there'}]]
  clean: [[{user: 'good day'}]]
"""


def test_rules_of_ones_own():
    h = Home()
    good, bad = h.file("good.yaml", RULE), h.file("bad.yaml", RULE.replace("on: user", "on: usr"))
    h.run("rules", "lint", good)
    out = h.run("rules", "lint", bad, status=1)
    assert "bad.yaml:8:" in out and "usr" in out, out
    assert "2 passed, 0 failed" in h.run("rules", "test", good)
    h.run("rules", "test", h.file("wrong.yaml", RULE.replace("good day", "hello again")), status=1)
    r = h.json("import", h.file("a.jsonl", jsonl([chat("1")])), "--rules", good)
    assert r["findings"]["total"] >= 1
    f = [x for x in h.lines("findings") if x["detector"] == "says-hello"]
    assert len(f) == 1 and f[0]["evidence"][0]["quote"] == "hello"
    h.run("scan", "--rules", good, "--only", "says-hello", "--fail-on", "high", status=1)
    assert "says hello" in h.run("rules", "show", "says-hello", "--rules", good)
    ids = {d["id"] for d in h.lines("rules", "list")}
    assert len(ids) >= 15 and "missing-program" in ids


def test_a_review_outlives_a_scan_without_its_rule():
    h = Home()
    rules = h.file("own.yaml", RULE)
    h.run("import", h.file("a.jsonl", jsonl([chat("1")])), "-c", "c", "--rules", rules)
    lines = h.run("export", "-c", "c").splitlines()
    said = [json.loads(line) for line in lines]
    for line in said:
        for f in line.get("findings", []):
            f.update(status="dismissed", note="known", reviewer="ann")
    h.run("import", h.file("reviewed.jsonl", jsonl(said)), "-c", "back")
    reviewed = h.run("export", "-c", "back")
    assert '"known"' in reviewed
    h.run("scan", "-c", "back")
    assert '"known"' not in h.run("export", "-c", "back")
    h.run("scan", "-c", "back", "--rules", rules)
    again = [f for f in h.lines("findings", "-c", "back") if f["detector"] == "says-hello"]
    assert [(f["status"], f["note"], f["reviewer"]) for f in again] == [("dismissed", "known", "ann")], again


def test_a_gate_with_broken_rules_or_settings_does_not_scan():
    h = Home()
    runs = h.file("a.jsonl", jsonl([chat("1", "good day")]))
    h.run("scan", runs, "--fail-on", "high", "--rules", h.file("good.yaml", RULE))
    mistyped = h.file("mistyped.yaml", "detecors: {}")
    for command in ("scan", runs), ("scan", runs, "--fail-on", "high"), ("import", runs, "-c", "none"):
        assert h.run(*command, "--config", mistyped, status=2) == ""
        assert "mistyped.yaml:1:1:" in h.stderr and "did you mean 'detectors'?" in h.stderr, h.stderr
    for text in ("detecors: {}", "redact: yes please", "redact: {x: '('}", "redact: [unclosed", "rules: nowhere.yaml"): # a server and MCP do not begin with them either
        for command in ("import", runs, "-c", "none"), ("redact", "--dry-run"), ("serve", "--listen", "127.0.0.1:0"), ("mcp",):
            if "redact" in text or command[0] != "redact":
                h.run(*command, "--config", h.file("wrong.yaml", text), status=2)
                assert "wrong.yaml" in h.stderr, (command, text, h.stderr)
    broken = {"--config": ["- a\n- list\n", b"disable: caf\xe9", "disable: no-such-detector", "detectors: {no-such: {severity: low}}",
                           "collections: {other: {disable: no-such}}", "disable: [unclosed"],
              "--rules": [RULE.replace("on: user", "on: usr"), RULE.replace("hello'}", "(hello'}"), b"id: caf\xe9"]}
    for option, texts in broken.items():
        for text in texts:
            path = h.file("broken.yaml", text)
            for gate in ("--fail-on", "high"), ("--strict",):
                assert h.run("scan", runs, option, path, *gate, status=2) == ""
                assert "broken.yaml:" in h.stderr and "nothing was scanned" in h.stderr, (text, h.stderr)
            h.run("scan", runs, option, path)
            assert "broken.yaml:" in h.stderr, (text, h.stderr)


def test_a_scan_that_read_nothing_is_not_green():
    h = Home()
    os.mkdir(os.path.join(h.path, "empty"))
    for path in os.path.join(h.path, "empty"), h.file("LICENSE", "You may do with this what you like.\n" * 40):
        for gate in ("--fail-on", "high"), ():
            assert h.run("scan", path, *gate, status=3) == ""
            assert "0 runs read" in h.stderr, h.stderr
    h.run("scan", h.file("cut.json", '{"messages": [{"role": "user", "content": "he'), "--fail-on", "high", status=1)
    assert "0 runs of 1 files read" in h.stderr, h.stderr
    h.file("logs/a.jsonl", jsonl([chat("1"), chat("2")]))
    h.file("logs/b.jsonl", jsonl([chat("3")]))
    h.run("scan", os.path.join(h.path, "logs"))
    assert "3 runs of 2 files read" in h.stderr, h.stderr


def test_settings_of_a_collection_hold_for_files_of_its_name():
    h = Home()
    rules = h.file("own.yaml", RULE)
    settings = h.file("s.yaml", "collections: {nightly: {detectors: {says-hello: {severity: low}}}}\n")
    h.file("nightly/a.jsonl", jsonl([chat("1")]))
    for more, severity in ((), "low"), (("-c", "other"), "high"):
        found = h.lines("scan", os.path.join(h.path, "nightly"), "--rules", rules, "--config", settings, "--only", "says-hello", *more)
        assert [f["severity"] for f in found] == [severity], found


def test_settings_hold_for_the_collections_that_they_name():
    h = Home()
    h.file("rules/mine.yaml", "lists: {greetings: [hello, hi]}\n---\nid: greets\ntitle: 'greets ${least} times'\nbehavior: off-task\n"
           "severity: low\nparameters: {least: 1}\nevents: {e: {on: user, text: '^${greetings}$'}}\nfind: {count: {of: e, at_least: $least}}\n")
    settings = h.file("telltale.yaml", "rules: rules\ncollections: {loud: {detectors: {greets: {severity: high}}}, strict*: {detectors: {greets: {parameters: {least: 2}}}}}\n")
    runs = h.file("a.jsonl", jsonl([chat("1")]))
    for collection, expected in ("quiet", ["low"]), ("loud", ["high"]), ("strict-1", []):
        h.run("import", runs, "-c", collection, "--config", settings)
        found = [f["severity"] for f in h.lines("findings", "-c", collection) if f["detector"] == "greets"]
        assert found == expected, (collection, found)
    h.file("telltale.yaml", "rules: rules\ndisable: greets\n")
    h.run("scan", "-c", "loud", env=dict(os.environ, TELLTALE_CONFIG=settings))
    assert not [f for f in h.lines("findings", "-c", "loud") if f["detector"] == "greets"]
    assert [d["enabled"] for d in h.lines("rules", "list", "--config", settings) if d["id"] == "greets"] == [False]
    h.file("telltale.yaml", "rules: rules\ndetectors: {greets: {parameters: {most: 3}}}\n")
    h.run("rules", "list", "--config", settings)
    assert "telltale.yaml:2:35: " in h.stderr and "no parameter 'most'" in h.stderr, h.stderr
    h.run("rules", "list", "--config", os.path.join(h.path, "nowhere.yaml"), status=3)


# ---- export and import --------------------------------------------------------------------------------------------------------

def assert_comes_back(h):
    """What the only collection of `h` exports, an empty database imports and exports again."""
    first = h.run("export")
    name = json.loads(first.split("\n", 1)[0])["collection"]["name"]
    other = Home()
    other.run("import", other.file("export.jsonl", first), "-c", name)
    second = other.run("export")
    if first != second:
        for a, b in zip(first.splitlines(), second.splitlines()):
            if a != b:
                at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
                raise AssertionError(f"differs at byte {at} of a line: {a[max(0, at - 120):at + 80]!r} and {b[max(0, at - 120):at + 80]!r}")
        raise AssertionError(f"{len(first.splitlines())} and {len(second.splitlines())} lines")
    assert other.json("import", os.path.join(other.path, "export.jsonl"), "-c", name)["runs"]["new"] == 0
    return first


def test_export_and_import_give_the_same_collection_byte_for_byte():
    h = sample_home()
    h.run("tag", "looked-at", "--success", "true")
    assert_comes_back(h)


def test_keys_that_stand_twice_come_back_as_they_stood():
    h = Home()
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1, "x": 2}'}}
    h.run("import", h.file("a.json", json.dumps({"messages": [
        {"role": "user", "content": "Call it."}, {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "done"}]})), "-c", "x")
    assert '"arguments":{"x":1,"x":2}' in assert_comes_back(h)


def test_a_thought_without_words_comes_back_as_none():
    h = Home()
    thought = {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA", "summary": []}
    call = {"source": "s", "call": 0, "url": "https://api.openai.com/v1/responses", "status": 200,
            "request": {"model": "m", "input": [{"role": "user", "content": "Think."}]},
            "response": {"id": "r", "object": "response", "model": "m", "output": [thought]}}
    h.run("import", h.file("a.jsonl", jsonl([call])), "-c", "x")
    assert "gAAA" in assert_comes_back(h)
    assert h.json("sql", "SELECT count(*) FROM messages WHERE reasoning = ''")["rows"] == [[0]]


def test_findings_of_tasks_come_back_in_their_order():
    h = Home()
    rows = [{"id": f"{task}-{n}", "task_id": f"task {task}", "success": False, "model": f"model {n % 2}",
             "scores": [{"name": "match", "value": 0, "answer": f"answer {task}", "target": "another"}],
             "transcripts": [{"messages": [{"role": "user", "content": f"What of {task}?"}, {"role": "assistant", "content": f"answer {task}"}]}]}
            for task in (5, 2, 7, 1, 8, 3, 6, 4) for n in range(6)]
    h.run("import", h.file("a.jsonl", jsonl(rows)), "-c", "x")
    lines = [json.loads(line) for line in assert_comes_back(h).splitlines()]
    tasks = [line["finding"]["task_id"] for line in lines if "finding" in line]
    assert len(set(tasks)) == 8 and tasks == sorted(tasks), tasks


def test_delete_asks_and_leaves_nothing():
    h = sample_home()
    run = h.lines("runs")[0]["id"]
    h.run("delete", "run", run, status=2)
    h.run("delete", "run", run, "--yes")
    assert run not in {r["id"] for r in h.lines("runs")}
    failed, total = len(h.lines("runs", "--success", "false")), len(h.lines("runs"))
    h.run("delete", "runs", "--success", "false", status=2)
    h.run("delete", "runs", "1234", "--yes", status=2)
    assert failed and len(h.lines("runs")) == total
    assert h.json("delete", "runs", "--success", "false", "--yes") == {"deleted": failed}
    assert h.lines("runs", "--success", "false") == [] and len(h.lines("runs")) == total - failed
    h.run("delete", "collection", "sample", "--yes")
    assert h.lines("collections") == []
    assert h.json("sql", "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM messages) + (SELECT count(*) FROM findings) AS n")["rows"] == [[0]]


def test_a_newer_database_is_refused():
    import sqlite3
    h = Home()
    h.run("import", h.file("a.jsonl", jsonl([chat("1")])))
    db = sqlite3.connect(h.db)
    db.execute("PRAGMA user_version = 9999")
    db.commit()
    db.close()
    h.run("runs", status=3)
    assert "newer" in h.stderr


# ---- the corpora, where they are -----------------------------------------------------------------------------------------------

SIX = ("inspect-eval", "inspect-json", "tau-bench", "intercode", "swe-agent")
FOLDERS = ("inspect_ai", "inspect_scout", "docent", "derived/eval", "tau-bench", "intercode", "swe-agent")


def corpora_home():
    if not os.path.isdir(CORPORA):
        print(f"SKIPPED: no corpora at {CORPORA}")
        return None
    if "home" not in corpora_home.__dict__:
        corpora_home.home = h = Home()
        for f in FOLDERS:
            done = subprocess.run([PROGRAM, "--db", h.db, "-q", "import", os.path.join(CORPORA, f), "-c", f, "--json"], capture_output=True, timeout=600)
            assert done.returncode in (0, 1), done.stderr
    return corpora_home.home


def test_corpora_give_the_runs_that_the_manifest_counts():
    h = corpora_home()
    if not h:
        return
    want = {}
    for row in csv.DictReader(open(os.path.join(CORPORA, "manifest.tsv")), delimiter="\t"):
        if row["path"].startswith(tuple(f + "/" for f in FOLDERS)) and row["format"].startswith(SIX) and int(row["messages"]):
            want[row["path"]] = int(row["runs"])
    # A cut-off zip has no directory, and what its entries hold still lands: 10 whole samples, where the manifest counts none.
    got = {}
    for f in FOLDERS:
        for r in h.lines("runs", "-c", f):
            path = os.path.relpath(os.path.realpath(r["source"]["file"]), os.path.realpath(CORPORA))
            got[path] = got.get(path, 0) + 1
    # byte-identical copies count once in a collection, as product.md says
    wrong = {p: (n, got.get(p, 0)) for p, n in want.items() if got.get(p, 0) != n}
    assert not wrong, wrong


def test_corpora_come_back_from_an_export_byte_for_byte():
    if not os.path.isdir(CORPORA):
        print(f"SKIPPED: no corpora at {CORPORA}")
        return
    h = Home()
    done = subprocess.run([PROGRAM, "--db", h.db, "-q", "import", CORPORA, "-c", "corpora"], capture_output=True, timeout=600)
    assert done.returncode in (0, 1), done.stderr
    assert_comes_back(h)


def test_corpora_have_the_outcomes_that_their_labels_say():
    h = corpora_home()
    if not h:
        return
    success = {}
    for f in FOLDERS:
        for r in h.lines("runs", "-c", f):
            path = os.path.relpath(os.path.realpath(r["source"]["file"]), os.path.realpath(CORPORA))
            success[(path, r["external_id"])] = r["success"]
    said, wrong = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False, '"c"': True, '"i"': False}, []
    checked = 0
    for row in csv.DictReader(open(os.path.join(CORPORA, "labels.tsv")), delimiter="\t", quoting=csv.QUOTE_NONE):
        path, kind = row["where"].split("#")[0], row["label_kind"]
        if not path.startswith(tuple(f + "/" for f in FOLDERS)) or not (kind in ("success", "reward") or kind.startswith("score:")):
            continue
        want = said.get(row["label_value"].strip().lower())
        key = (path, row["run_id"])
        if want is None:
            continue
        checked += 1
        if success.get(key) is not want:
            wrong.append((key, kind, row["label_value"], success.get(key, "no such run")))
    assert checked > 3000 and not wrong, (checked, len(wrong), wrong[:5])


def test_intercode_shows_the_programs_that_its_image_lacks():
    h = corpora_home()
    if not h:
        return
    titles = " ".join(f["title"] for f in h.lines("findings", "-c", "intercode", "--behavior", "missing-program"))
    for program in ("exiftool", "xxd", "tcpdump", "binwalk"):
        assert program in titles, program


# ---- reports for continuous integration -----------------------------------------------------------------------------------

HOSTILE_WORDS = "hello \x01\x1b[31m ]]> <b>&amp;\"' 100%: a,b\r\n::error::no \ufffe \U0001f600"


def hello_home(texts=("hello there", "good day", "hello again"), ids=("r1", "r2", "r3"), rule=RULE):
    """A rule that finds "hello", and a file with a run for each text."""
    h = Home()
    h.rules = h.file("hello.yaml", rule)
    h.logs = h.file("logs/a.jsonl", jsonl([chat(id, text) for id, text in zip(ids, texts)]))
    return h


def scan(h, *more, logs=None, **kw):
    return h.run("scan", logs or h.logs, "--rules", h.rules, "--only", "says-hello", *more, **kw)


def sarif(h, *more, **kw):
    text = scan(h, *more, "--output", "sarif", **kw)
    path = h.file("out.sarif", text)
    done = subprocess.run(["node", os.path.join(HERE, "sarif.mjs"), path], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    run, = json.loads(text)["runs"]
    return run


def test_sarif_is_what_its_schema_says_and_points_at_the_line():
    h = hello_home()
    run = sarif(h, "--fail-on", "high", status=1)
    rule, = [r for r in run["tool"]["driver"]["rules"] if r["id"] == "says-hello"]
    assert "it is a test" in rule["help"]["text"] and "nothing" in rule["help"]["text"] and rule["defaultConfiguration"]["level"] == "error", rule
    first, third = sorted(run["results"], key=lambda r: r["properties"]["externalId"])
    place = third["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "file://" + h.logs and place["region"] == {"startLine": 3}, place
    related, = third["relatedLocations"]
    assert related["message"]["text"] == "run r3, message 0: hello" and related["properties"]["part"] == "text", related
    assert {k: third["properties"][k] for k in ("message", "part", "start", "end", "transcript")} == {"message": 0, "part": "text", "start": 0, "end": 5, "transcript": "0"}
    assert third["level"] == "error" and first["partialFingerprints"] != third["partialFingerprints"]
    assert "baselineState" not in first


def test_sarif_of_many_formats_is_valid_and_invents_no_line():
    h = Home()
    h.rules, h.logs = h.file("hello.yaml", RULE), os.path.join(SAMPLE, "data")
    text = h.run("scan", h.logs, "--output", "sarif")
    done = subprocess.run(["node", os.path.join(HERE, "sarif.mjs"), h.file("out.sarif", text)], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout
    results = json.loads(text)["runs"][0]["results"]
    assert len(results) > 100
    for r in results:
        for place in r["locations"]:
            line = place["physicalLocation"].get("region", {}).get("startLine")
            assert (line is not None) == place["physicalLocation"]["artifactLocation"]["uri"].endswith(".jsonl"), r
    packed = h.file("p/a.jsonl.gz", gzip.compress(jsonl([chat("r1", "hello")]).encode()))
    result, = sarif(h, logs=packed)["results"]
    assert "region" not in result["locations"][0]["physicalLocation"], result


def test_fingerprints_are_the_same_elsewhere_and_with_moved_lines_and_a_new_rule():
    h = hello_home()
    other = hello_home(("hello there", "good day", "hello again"), rule=RULE.replace("title: says hello", "title: greets"))
    moved = other.file("elsewhere/b.jsonl", "\n\n" + jsonl([chat("r9", "nothing")]) + open(h.logs).read())
    prints = lambda run: sorted(r["partialFingerprints"]["telltale/v1"] for r in run["results"])
    assert prints(sarif(h)) == prints(sarif(other, logs=moved)) and len(prints(sarif(h))) == 2
    # runs without a name go by their file and words
    def nameless(texts):
        return jsonl([{"messages": chat("x", t)["messages"]} for t in texts])
    a = prints(sarif(h, logs=h.file("n/a.jsonl", nameless(["hello one", "hello one", "fine"]))))
    b = prints(sarif(h, logs=h.file("m/a.jsonl", nameless(["fine", "fine", "hello one", "fine", "hello one"]))))
    assert a == b and len(set(a)) == 2 and a[1] == a[0] + ":2", (a, b)


def test_a_baseline_lets_known_findings_pass_and_new_ones_fail():
    h = hello_home()
    base = os.path.join(h.path, "telltale.baseline")
    scan(h, "--fail-on", "high", "--write-baseline", base, status=1)
    lines = open(base).read().splitlines()
    assert lines[0].startswith("#") and [l.split("\t")[1:] for l in lines if l[0] != "#"] == [
        ["high", "says-hello", "r1", "says hello"], ["high", "says-hello", "r3", "says hello"]], lines
    scan(h, "--fail-on", "high", "--baseline", base)
    h.file("logs/a.jsonl", jsonl([chat("r0", "hello new"), chat("r1", "hello there"), chat("r3", "good bye")]))
    rows = [json.loads(l) for l in scan(h, "--fail-on", "high", "--baseline", base, "--output", "jsonl", status=1).splitlines()]
    assert {r["run"]["external_id"]: r["baseline"] for r in rows} == {"r0": "new", "r1": "unchanged"}, rows
    # what is gone can be told only by a scan of everything
    whole = h.run("scan", h.logs, "--rules", h.rules, "--baseline", base, "--fail-on", "high", "--output", "sarif", status=1)
    states = sorted((r["baselineState"], r["message"]["text"]) for r in json.loads(whole)["runs"][0]["results"] if r["ruleId"] == "says-hello")
    assert [s for s, _ in states] == ["absent", "new", "unchanged"], states
    assert {r["baselineState"] for r in sarif(h, "--baseline", base)["results"]} == {"new", "unchanged"}
    scan(h, "--write-baseline", base)
    scan(h, "--fail-on", "low", "--baseline", base)
    again = open(base).read()
    scan(h, "--baseline", base, "--write-baseline", base)
    assert open(base).read() == again and not os.path.exists(base + ".new")
    h.file("edited.baseline", again.replace("\n", "\r\n"))
    scan(h, "--fail-on", "low", "--baseline", os.path.join(h.path, "edited.baseline"))
    scan(h, "--baseline", h.file("none", "a: b\n"), status=2)
    scan(h, "--baseline", h.file("broken", lines[0] + "\nxyz\thigh\n"), status=2)
    assert ":2:" in h.stderr, h.stderr
    scan(h, "--baseline", os.path.join(h.path, "missing"), status=3)
    scan(h, "--write-baseline", os.path.join(h.path, "no/such/folder"), status=3)


def test_changed_since_leaves_out_older_runs():
    h = Home()
    h.rules = h.file("hello.yaml", RULE)
    def started(id, day, text="hello"):
        return {"id": id, "name": id, "metadata": {}, "started_at": f"2026-01-0{day}T00:00:00Z", "external_id": id,
                "transcripts": [{"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "done"}]}]}
    runs = [started("old", 1), started("mid", 2), started("new", 3)]
    h.logs = h.file("a.jsonl", jsonl(runs))
    names = lambda *since, status=0: sorted(json.loads(l)["run"]["external_id"] for l in scan(
        h, "--changed-since", *since, "--output", "jsonl", status=status).splitlines())
    assert names("mid") == ["new"] and names("old") == ["mid", "new"] and names("new") == []
    assert names("2026-01-02") == ["mid", "new"] and names("2026-01-02T00:00:01Z") == ["new"]
    names("2026-01-02", "--fail-on", "high", status=1)
    names("new", "--fail-on", "high")
    assert names("nobody", status=3) == []
    # a collection goes by imports, and by starts within one
    h.run("import", h.logs, "-c", "c", "--rules", h.rules, "--quiet")
    h.run("import", h.file("b.jsonl", jsonl([started("late", 1, "hello, late")])), "-c", "c", "--rules", h.rules, "--quiet")
    found = lambda since: sorted(r["run"]["external_id"] for r in h.lines("scan", "-c", "c", "--rules", h.rules, "--only", "says-hello", "--changed-since", since))
    assert found("mid") == ["late", "new"] and found("late") == [], (found("mid"), found("late"))
    assert found("2020-01-01") == ["late", "mid", "new", "old"] and found("2999-01-01") == []
    suite = ElementTree.fromstring(h.run("scan", "-c", "c", "--rules", h.rules, "--changed-since", "mid", "--output", "junit"))
    assert suite.get("tests") == "2" and len(suite.findall(".//testcase")) == 2


def test_junit_is_well_formed_whatever_the_transcript_says():
    h = hello_home((HOSTILE_WORDS, "good day", "hello again"), ("r\x02<1>", "r2", "r3"))
    suites = ElementTree.fromstring(scan(h, "--fail-on", "high", "--output", "junit", status=1))
    suite, = suites
    cases = {c.get("name"): c for c in suite}
    assert set(cases) == {"r\ufffd<1>", "r2", "r3"} and (suite.get("tests"), suite.get("failures"), suite.get("name")) == ("3", "2", "a.jsonl"), cases.keys()
    assert cases["r2"].find("failure") is None and cases["r3"].get("line") == "3" and cases["r3"].get("file") == h.logs
    assert "says hello" == cases["r3"].find("failure").get("message") and "message 0: hello" in cases["r3"].find("failure").text
    quiet = ElementTree.fromstring(scan(h, "--output", "junit"))
    assert quiet.get("failures") == "0" and len(quiet.findall(".//system-out")) == 2
    h.rules = h.file("all.yaml", RULE.replace("text: 'hello'", "text: '(?s)hello.*'"))
    text = ElementTree.fromstring(scan(h, "--output", "junit")).find(".//system-out").text
    assert "]]> <b>&amp;\"' 100%" in text and "\x1b" not in text and "\U0001f600" in text, text


def test_workflow_commands_keep_to_their_line():
    h = hello_home((HOSTILE_WORDS, "good day", "hello again"), ids=("r:1,x", "r2", "r3"), rule=RULE.replace("text: 'hello'", "text: '(?s)hello.*'").replace("title: says hello", "title: 'says, 100%: hello'"))
    lines = scan(h, "--output", "github").split("\n")
    assert len(lines) == 3 and lines[-1] == "" and all(l.startswith("::error file=") for l in lines[:2]), lines
    hostile, = [l for l in lines if "100%25: a,b" in l]
    assert ",line=1,title=says%2C 100%25%3A hello (says-hello)::" in hostile and "%0D%0A::error::no" in hostile and "\x1b" not in hostile, hostile


def test_a_report_as_a_page_needs_nothing_and_believes_nothing():
    h = hello_home((HOSTILE_WORDS.replace("\x01", "<script>alert(1)</script>"), "good day", "hello again"))
    h.rules = h.file("hello.yaml", RULE.replace("text: 'hello'", "text: '(?s)hello.{30}'"))
    page = scan(h, "--fail-on", "high", "--output", "html", status=1)
    style = re.search(r"<style>(.*?)</style>", page, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'" in page
    assert "<script" not in page and "&lt;script&gt;" in page and " style=" not in page and "://" not in page.replace("file://", "")
    body = page[page.index("<body>"):].replace("<details open>", "<details>")
    ElementTree.fromstring(body[:body.index("</body>") + 7]) # every element is closed
    assert "✗ Fails: 1 finding of severity high" in page and "off-task" in page, page[-3000:]
    assert re.search(r"<mark>hello [^<]*</mark>[^<]*::error::no", page, re.S), "the words stand in what is around them"


def test_a_collection_goes_out_as_one_page_with_the_runs_that_it_cites():
    long = [{"role": "user" if i % 2 else "assistant", "content": f"turn {i} " + "x" * 9000 * (i == 41) + ("hello <b>" if i == 41 else "")} for i in range(90)]
    h = Home()
    lines = [{"id": "r1", "task_id": "t1", "model": "m&m", "success": False, "transcripts": [{"messages": long}]},
             {"id": "r2", "task_id": "t1", "model": "m&m", "success": True, "transcripts": [{"messages": [{"role": "user", "content": "nothing"}]}]}]
    h.run("import", h.file("a.jsonl", jsonl(lines)), "-c", "c")
    h.run("scan", "-c", "c", "--rules", h.file("hello.yaml", RULE.replace("text: 'hello'", "text: 'hello( <b>)?'")))
    to = os.path.join(h.path, "c.html")
    h.run("export", "-c", "c", "--as", "html", "--to", to)
    page = open(to).read()
    body = page[page.index("<body>"):page.index("</body>") + 7].replace("<details open>", "<details>")
    ElementTree.fromstring(body) # every element is closed
    assert "<script" not in page and " style=" not in page and "2 runs of 1 task by 1 model; 50 % passed." in page
    link = re.search(r'<a href="#(r\d+-0-41)">', page).group(1)
    message = page[page.index(f'id="{link}"'):]
    message = message[:message.index("</div>")]
    assert re.search(r"<mark[^>]*>hello &lt;b&gt;</mark>", message) and "bytes left out" in message and len(message) < 6000, message
    assert "turn 0 " in page and "turn 89 " in page and "turn 39 " in page and "turn 20 " not in page and "messages left out" in page
    assert h.run("export", "-c", "c", "--as", "html")[:500] == page[:500]
    h.run("export", "-c", "c", "--as", "pdf", status=2)


def test_findings_print_as_reports_too_and_runs_do_not():
    h = sample_home()
    count = len(h.lines("findings", "--severity", "high"))
    assert len(json.loads(h.run("findings", "--severity", "high", "--output", "sarif"))["runs"][0]["results"]) == count > 3
    assert len(h.run("findings", "--severity", "high", "--limit", "2", "--output", "github").splitlines()) == 2
    h.run("--output", "sarif", "findings")
    for args in (("runs", "--output", "sarif"), ("scan", "--output", "xml"), ("--output", "html", "tasks")):
        h.run(*args, status=2)
        assert "--output is" in h.stderr, h.stderr


def test_the_example_workflow_does_what_it_says():
    steps = json.loads(subprocess.run(["node", os.path.join(HERE, "workflow.mjs")], capture_output=True, check=True, timeout=60).stdout)
    run = {s["name"]: s["run"] for s in steps if "run" in s}
    assert list(run) == ["build", "report", "gate"] and any("upload-sarif" in s.get("uses", "") for s in steps)
    h = Home()
    work = os.path.join(h.path, "work")
    h.file("work/transcripts/a.jsonl", jsonl([chat("r1", "hello there"), chat("r2", "good day")]))
    h.file("bin/telltale", f"#!/bin/sh\nexec {PROGRAM} \"$@\" --rules {h.file('hello.yaml', RULE)}\n")
    os.chmod(os.path.join(h.path, "bin", "telltale"), 0o755)
    def step(name):
        env = {**os.environ, "PATH": os.path.join(h.path, "bin") + ":" + os.environ["PATH"]}
        return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", run[name]], cwd=work, env=env, capture_output=True, text=True, timeout=120)
    assert step("report").returncode == 0
    result = next(r for r in json.load(open(os.path.join(work, "telltale.sarif")))["runs"][0]["results"] if r["ruleId"] == "says-hello")
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "transcripts/a.jsonl", result
    assert "✗ Fails" in open(os.path.join(work, "telltale.html")).read()
    gate = step("gate")
    assert gate.returncode == 1 and "::error file=transcripts/a.jsonl,line=1," in gate.stdout, gate
    subprocess.run([os.path.join(h.path, "bin", "telltale"), "scan", "transcripts", "--write-baseline", "telltale.baseline", "--quiet"],
                   cwd=work, stdout=subprocess.DEVNULL, check=True, timeout=60)
    assert step("report").returncode == 0 and "✓ Passes" in open(os.path.join(work, "telltale.html")).read()
    gate = step("gate")
    assert gate.returncode == 0 and "in the baseline" in gate.stdout and "::error" not in gate.stdout, gate


def test_detectors_hold_their_bars_on_labelled_runs():
    """What `make score` measures. The bars are far below what is reached, so that an honest new rule has room."""
    score = [sys.executable, os.path.join(ROOT, "tests", "bench", "score.py"), PROGRAM, "--json"]
    done = subprocess.run(score, capture_output=True, text=True, timeout=600)
    if done.returncode == 2:
        print(f"SKIPPED: {done.stderr.strip()}")
        return
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    summary = report["summary"]
    assert summary["macro_over"] >= 5 and summary["macro_f1"] >= 0.60, summary
    assert summary["findings_on_labelled_runs"] >= 50 and summary["micro_precision"] >= 0.80, summary
    assert summary["quoted"] >= 0.80, summary
    steps = report["steps"]
    for half, bar in (("Algorithm-Generated", 0.27), ("Hand-Crafted", 0.155)):
        assert steps[half]["n"] > 20 and steps[half]["shown"] > bar * steps[half]["n"] < steps[half]["learned"], steps


def test_score_says_what_is_missing():
    score = [sys.executable, os.path.join(ROOT, "tests", "bench", "score.py"), PROGRAM, "/nowhere/labels.tsv"]
    done = subprocess.run(score, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == "" and "NOT SCORED" in done.stderr, done


def hostile_import(rows):
    """Puts in runs made to be dear, in little memory (`ulimit`, of addresses) and time."""
    h = Home()
    path = h.file("hostile.jsonl", jsonl(rows))
    started = time.time()
    limit = "ulimit -v 1500000;" if COST == 1 else "" # a sanitizer takes terabytes of addresses for itself
    done = subprocess.run(["sh", "-c", limit + 'exec "$0" "$@"', PROGRAM, "--db", h.db, "import", path, "-c", "x"],
                          capture_output=True, text=True, timeout=60 * COST)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    assert time.time() - started < 10 * COST, time.time() - started
    return h


def test_an_import_stores_what_the_quota_of_its_collection_allows():
    h = Home()
    rows = [{"id": f"r{i}", "messages": [{"role": "user", "content": "hello"}]} for i in range(4)]
    first, all_ = (h.file(name, "".join(json.dumps(row) + "\n" for row in some)) for name, some in (("first/a.jsonl", rows[:1]), ("all/a.jsonl", rows)))
    h.run("import", first, "-c", "x")
    h.run("collections", "quota", "x", "90d", status=2)
    h.run("collections", "quota", "x", "3runs")
    assert h.run("import", all_, "-c", "x", status=1).count("quota allows, 3") > 0
    assert [(c["runs"], c["quota"]) for c in h.lines("collections")] == [(3, "3runs")], h.lines("collections")
    changed = h.file("first/a.jsonl", json.dumps({**rows[0], "model": "m"}) + "\n")
    h.run("import", changed, "-c", "x")
    h.run("collections", "quota", "x", "none")
    h.run("import", all_, "-c", "x")
    assert h.lines("collections")[0]["quota"] is None and h.lines("collections")[0]["runs"] > 3


def test_an_export_carries_how_much_and_how_long():
    """A quota that is smaller than what is there keeps nothing back when it comes back."""
    h = Home()
    h.run("import", h.file("a.jsonl", "".join(json.dumps({"id": f"r{i}", "messages": [{"role": "user", "content": "hello"}]}) + "\n" for i in range(4))), "-c", "x")
    h.run("collections", "quota", "x", "2runs,1GB")
    h.run("collections", "keep", "x", "900d")
    h.run("collections", "keep", "x", "1week", status=2)
    h.run("export", "-c", "x", "--to", os.path.join(h.path, "x.jsonl"))
    back = Home()
    back.run("import", os.path.join(h.path, "x.jsonl"), "-c", "x")
    row = back.lines("collections")[0]
    assert (row["runs"], row["quota"], row["keep"]) == (4, "2runs,1GB", "900d"), row
    # Into a collection that is there they do not come, nor does what means nothing.
    with open(os.path.join(h.path, "x.jsonl")) as f:
        text = f.read().replace("900d", "a while")
    other = Home()
    other.run("collections", "add", "y")
    other.run("import", os.path.join(h.path, "x.jsonl"), "-c", "y")
    other.run("import", other.file("z.jsonl", text), "-c", "z")
    limits = {row["name"]: (row["runs"], row["quota"], row["keep"]) for row in other.lines("collections")}
    assert limits == {"y": (4, None, None), "z": (4, "2runs,1GB", None)}, limits
    h.run("collections", "keep", "x", "server")
    assert h.lines("collections")[0]["keep"] is None


def test_a_long_list_of_expected_answers_is_read_once():
    hostile_import([chat("r", success=False, target="[" + "1," * 500000 + "1]", answer="x")])


def test_answers_are_compared_within_a_budget():
    word = lambda i: (f"word{i} " * 800)[:3900]
    messages = [{"role": "user", "content": "q"}]
    for i in range(256):
        call = {"id": f"s{i}", "type": "function", "function": {"name": "submit", "arguments": json.dumps({"answer": word(i)})}}
        messages += [{"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "tool", "tool_call_id": f"s{i}", "content": "no"}]
    h = hostile_import([{"id": "r", "success": False, "messages": messages, "answer": "a", "target": json.dumps([word(1000 + i) for i in range(32)])}])
    assert "more answers to compare" in h.run("incomplete", "-c", "x"), "a limit that is met is listed"


def test_scores_of_a_run_are_bounded():
    scores = [{"name": f"s{i}", "value": False, "answer": f"answer number {i} of it, in {i * 7} words", "target": f"target {i} of the others"}
              for i in range(50000)]
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "done"}]
    runs = [{"external_id": f"r{i}", "task_id": "t", "success": False, "scores": scores, "transcripts": [{"messages": turns}]} for i in range(2)]
    hostile_import([{"telltale": 1, "collection": {"name": "x"}}, *runs])


def call(name, arguments, id="c"):
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": id, "type": "function", "function": function}]}


def test_arguments_of_many_elements_are_read_one_call_at_a_time():
    h = Home()
    calls = [call("x", "[" + "1," * 130000 + "1]", f"c{i}") for i in range(100)]
    path = h.file("a.jsonl", jsonl([{"id": "r", "messages": [{"role": "user", "content": "q"}, *calls]}]))
    h.run_within(30, 500, "import", path, "-c", "c")


def test_tools_of_ever_new_names_are_bounded():
    """They come from whoever wrote the transcript, and all of a collection are read to show one run."""
    h = Home()
    runs = [{"id": f"r{t}", "task_id": f"t{t}", "messages": [{"role": "user", "content": "q"},
            *(call(f"tool_{t}_{i}", "{}", f"s{i}") for i in range(15))]} for t in range(2000)]
    h.run_within(15, 500, "import", h.file("a.jsonl", jsonl(runs)), "-c", "c")
    with sqlite3.connect(h.db) as db:
        names = [name for name, in db.execute("SELECT name FROM action ORDER BY number")]
    assert len(names) == 16385 and names[0].startswith("tool_") and names[-1] == "other", names[-3:]


def test_a_database_is_written_anew_beside_it_and_not_in_memory():
    h = Home()
    h.run("import", h.file("a.jsonl", jsonl([{"id": "r", "messages": [{"role": "user", "content": "q"}]}])), "-c", "c")
    with sqlite3.connect(h.db) as db:
        db.execute("INSERT INTO blob (sha256, media_type, bytes) WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 160)"
                   " SELECT randomblob(32), 'image/png', zeroblob(1000000) FROM n")
    db.close()
    h.run_within(30, 150, "redact")
    assert not [name for name in os.listdir(h.path) if name.startswith("etilqs")], "what it was gathered in is still there"


def test_more_unfinished_than_a_buffer_holds_is_whole_or_refused():
    h = Home()
    h.run("import", h.file("a.jsonl", jsonl([chat("r")])), "-c", "c")
    rule = "almost-passed"
    with sqlite3.connect(h.db) as db:
        db.executemany("INSERT INTO incomplete SELECT n, ?, ? FROM run", [(f"d{i}", "x" * 66000) for i in range(1100)])
    sarif = json.loads(h.run("scan", "-c", "c", "--only", rule, "--output", "sarif"))
    assert len(sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"]) == 1100
    assert h.run("scan", "-c", "c", "--only", rule, "--json", status=1) == "" and "64 MB" in h.stderr


# ---- labels ---------------------------------------------------------------------------------------------------------------------


def test_labels_are_read_scored_and_written_back():
    h = Home()
    call = lambda i: [{"role": "assistant", "content": None, "tool_calls": [{"id": f"c{i}", "type": "function", "function": {"name": "ls", "arguments": '{"path": "/tmp/x"}'}}]},
                      {"role": "tool", "tool_call_id": f"c{i}", "content": "No such file or directory"}]
    runs = [{"id": "loops", "messages": [{"role": "user", "content": "go"}] + [m for i in range(6) for m in call(i)]}]
    runs += [{"id": n, "messages": [{"role": "user", "content": n}, {"role": "assistant", "content": "done"}]} for n in ("plain", "missed")]
    h.run("import", h.file("logs/a.jsonl", jsonl(runs)), "-c", "c")
    seen = h.file("seen.tsv", "file\trun\tbehavior\tstrength\tquote\tnote\nlogs/a.jsonl\tloops\trepeated-action\tclear\t/tmp/x\tsix times\n"
                              "logs/a.jsonl\tplain\tnone\tclear\t\t\nlogs/a.jsonl\tmissed\trepeated-action\tclear\tdone\t\n")
    said = h.run("labels", "import", seen)
    assert "3 labels new" in said and "2 of 2 quotes" in said, said
    assert "0 labels new, 0 changed, 3 known" in h.run("labels", "import", seen)
    rows = {r["measured"]: r for r in json.loads(h.run("labels", "score", "--set", "behaviors", "--json"))["items"]}
    r = rows["repeated-action"]
    assert (r["n"], r["labelled"], r["tp"], r["fp"], r["fn"]) == (3, 2, 1, 0, 1) and abs(r["f1"]["value"] - 2 / 3) < 1e-9 and abs(r["constant_f1"] - 0.8) < 1e-9, r
    assert "repeated-action" in h.run("labels", "score", "--set", "behaviors")
    table = h.run("labels", "agreement", "people:behaviors", "behavior:repeated-action")
    assert re.search(r"^recall +yes +0\.5 ", table, re.M) and re.search(r"^Cohen's kappa ", table, re.M) and "3 runs that both rated" in table, table
    whole = json.loads(h.run("labels", "agreement", "people:behaviors", "behavior:repeated-action", "--json"))
    assert [d["run"]["external_id"] for d in whole["disagreements"]] == ["missed"], whole["disagreements"]
    h.run("labels", "import", h.file("more.csv", "run,answer,who\nloops,yes,ann\nplain,no,ann\nnobody,no,ann\n"), "--set", "hand", status=1)
    assert "more.csv:4:" in h.stderr and "nobody" in h.stderr, h.stderr
    assert {s["name"]: s["labels"] for s in json.loads(h.run("labels", "sets", "--json"))["items"]} == {"behaviors": 3, "hand": 2}
    # against one class there is no balanced accuracy and no kappa; what there is not gives no figures
    h.run("labels", "import", h.file("all.csv", "run,value,who\nloops,no,ann\nplain,no,ann\nmissed,no,ann\n"), "--set", "one-class")
    one = json.loads(h.run("labels", "agreement", "people:one-class", "behavior:repeated-action", "--json"))
    assert one["kappa"]["value"] is None and one["balanced_accuracy"]["value"] is None and "one value" in one["note"] and whole["note"] is None, one
    assert "one value" in h.run("labels", "agreement", "people:one-class", "behavior:repeated-action")
    for rater, field, status, named in (("detector:nope", None, 3, "no detector"), ("detector:gave-up", None, 3, "behavior:gave-up"),
                                        ("people:behavior", None, 3, "behaviors"), ("person:hand/eve", None, 3, "ann"),
                                        ("behavior:repeated-action", "nonsense", 2, "repeated-action"), ("people:hand", "nonsense", 2, "repeated-action"),
                                        ("people:hand", None, 2, "--field")):
        h.run("labels", "agreement", "people:behaviors", rater, *(["--field", field] if field else []), status=status)
        assert named in h.stderr, (rater, h.stderr)
    h.run("labels", "agreement", "people:hand", "people:hand", "--field", "nonsense", status=2)
    assert "answer" in h.stderr, h.stderr
    # a note on another behaviour is no word on the one compared
    h.run("labels", "import", h.file("other.tsv", "file\trun\tbehavior\tstrength\tquote\tnote\nlogs/a.jsonl\tloops\tgave-up\tclear\t\tstops early\n"), "--set", "other")
    other = json.loads(h.run("labels", "agreement", "people:other", "behavior:repeated-action", "--json"))
    assert [(d["reference_value"], d["note"], d["reference"]) for d in other["disagreements"]] == [("no", None, "no")], other["disagreements"]
    out = h.file("out.jsonl", h.run("labels", "export", "--set", "behaviors", "--as", "native"))
    assert "0 labels new, 0 changed, 3 known" in h.run("labels", "import", out)
    # whatever way a set goes out, nothing of it changes when it comes back
    h.run("labels", "import", h.file("odd.jsonl", jsonl([{"run": "loops", "value": {"b": "7", "a": 7}}, {"run": "plain", "value": {"b": "null", "a": " x "}},
                                                         {"run": "missed", "value": "true"}])), "--set", "odd")
    for name, n in (("behaviors", 3), ("hand", 2), ("odd", 3)):
        for form in ("csv", "jsonl", "native"):
            out = h.file("out." + form, h.run("labels", "export", "--set", name, "--as", form))
            assert f"0 labels new, 0 changed, {n} known" in h.run("labels", "import", out), (name, form)
    assert all(s["people"] == 1 for s in json.loads(h.run("labels", "sets", "--json"))["items"])
    h.run("labels", "score", "--set", "hand", status=2)
    assert "--against" in h.stderr, h.stderr
    for wrong in (["score"], ["nonsense"], ["import", h.file("x.bin", "?")], ["agreement", "people:behaviors"]):
        h.run("labels", *wrong, status=2)
    h.run("labels", "import", "no-such-file.csv", status=3)
    h.run("labels", "export", "--set", "none", status=3)


def main(tests):
    names = sys.argv[2:]
    passed = failed = 0
    for name, test in sorted(tests.items()):
        if not name.startswith("test_") or (names and name not in names):
            continue
        try:
            test()
            passed += 1
        except Exception:
            failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(globals()))
