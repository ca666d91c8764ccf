#!/usr/bin/env python3
"""telltale judge as its users meet it, with a model server that also fails.

usage: judges.py PROGRAM [NAME...]
"""
import glob
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run
from run import PROGRAM, ROOT, Home, chat, jsonl

sys.path.insert(0, os.path.join(ROOT, "tests", "llm"))
from fault_judge import Answer
from fault_server import FaultServer

SECRET = "sk-very-secret-0123456789abcdef"
RUBRIC = """name: any-error
title: Something failed
behavior: error-ignored
question: Does a message say that something failed?
counts: [a message that reports a failure]
finding: { when: { answer: ["yes"] }, severity: high, title: Something failed }
"""


class Judged(Home):
    """A database with runs, of which every second has an error, a rubric, and settings that name a model."""

    def __init__(self, url=None, runs=6, price=True):
        super().__init__()
        self.run("import", self.file("a.jsonl", jsonl([chat(f"r{i}", f"please do step {i}" if i % 2 else f"the step failed with code {i}", task_id=f"t{i % 2}") for i in range(runs)])), "-c", "c")
        self.run("judge", "new", "any-error", "--from", self.file("r.yaml", RUBRIC))
        self.file("key", SECRET + "\n")
        price = "price: { in: 1, out: 2 }, " if price else ""
        self.config = self.file("telltale.yaml", f"models:\n  default: main\n  main: {{ url: {url}/v1, model: tiny-judge, key: k, {price}concurrency: 8, timeout: 5 }}\n"
                                                 f"keys:\n  k: {{ file: {self.path}/key, for: \"{url}\" }}\n") if url else None
        self.env = {**{k: v for k, v in os.environ.items() if not k.startswith("TELLTALE_")}, **({"TELLTALE_CONFIG": self.config} if url else {})}

    def judge(self, *args, **kw):
        return self.run("judge", *args, env=self.env, **kw)

    def judge_json(self, *args, **kw):
        return json.loads(self.judge(*args, "--json", **kw))


def fault(**plan):
    return FaultServer(plan={"key": SECRET, "price": {"in": 1, "out": 2}, **plan})


# ---- rubrics ----------------------------------------------------------------------------------------------------------


def test_rubrics_are_listed_shown_and_checked():
    h = Home()
    rows = h.json("judge", "list")
    assert rows["total"] == len(rows["items"]) >= 10 and all(r["shipped"] for r in rows["items"])
    for row in rows["items"]:
        text = h.run("judge", "show", row["name"])
        assert f"name: {row['name']}" in text
        assert "1 rubric, 0 problems" in h.run("judge", "check", h.file("r.yaml", text))
    assert h.json("judge", "show", rows["items"][0]["name"] + "@1")["text"] in text + h.run("judge", "show", rows["items"][0]["name"])
    out = h.run("judge", "check", h.file("bad.yaml", RUBRIC.replace("question:", "qestion:")), status=1)
    assert "bad.yaml:4:1: " in out, out
    bad = json.loads(h.run("judge", "check", os.path.join(h.path, "bad.yaml"), "--json", status=1))
    assert bad["problems"][0]["line"] == 4 or any(p["line"] == 4 for p in bad["problems"])
    h.run("judge", "show", "no-such", status=3)
    assert rows["items"][0]["name"] in h.stderr
    h.run("judge", "show", "a@b", status=2)
    h.run("judge", "nonsense", status=2)
    h.run("judge", "show", status=2)
    assert "judge show NAME" in h.stderr


def test_an_edit_is_a_version_and_says_what_changed():
    h = Judged()
    assert "version 2 stored; changed: question" in h.judge("edit", "any-error", "--from", h.file("n.yaml", RUBRIC.replace("Does a", "Does any")))
    assert "nothing changed" in h.judge("edit", "any-error", "--from", os.path.join(h.path, "n.yaml"))
    assert "version 3 stored" in h.judge("edit", "any-error", "--from", "-", stdin=RUBRIC.encode())
    assert [v["version"] for v in h.judge_json("list", "any-error")["items"]] == [3, 2, 1]
    assert "Does any" in h.judge("show", "any-error@2") and "Does any" not in h.judge("show", "any-error@3")
    h.judge("new", "any-error", "--from", os.path.join(h.path, "n.yaml"), status=3)
    h.judge("edit", "other", "--from", os.path.join(h.path, "n.yaml"), status=3)
    h.judge("new", "other", "--from", os.path.join(h.path, "n.yaml"), status=2)
    copy = h.judge("new", "mine", "--like", "any-error")
    assert copy.startswith("name: mine\n") and "Does a message" in copy
    assert "mine: version 1 stored" in h.judge("new", "mine", "--from", "-", stdin=copy.encode())
    template = h.judge("new", "fresh")
    h.judge("new", "fresh", "--from", "-", stdin=template.encode())


def test_what_an_editor_leaves_is_never_lost():
    h = Judged()
    editor = h.file("editor.sh", "#!/bin/sh\nsed 's/question:/qestion:/' \"$1\" > \"$1.new\" && mv \"$1.new\" \"$1\"\n")
    os.chmod(editor, 0o755)
    h.env.update(EDITOR=editor, VISUAL="", TMPDIR=h.path)
    h.judge("edit", "any-error", status=1)
    draft = glob.glob(os.path.join(h.path, "any-error-*.yaml"))
    assert len(draft) == 1 and draft[0] + ":" in h.stderr and f"--from {draft[0]}" in h.stderr and "qestion:" in open(draft[0]).read(), h.stderr
    mended = h.file("mended.yaml", open(draft[0]).read().replace("qestion:", "question:").replace("Does a", "Does any"))
    os.unlink(draft[0])
    h.env["EDITOR"] = f"cp {mended}"
    assert "version 2 stored; changed: question" in h.judge("edit", "any-error")
    assert glob.glob(os.path.join(h.path, "any-error-*.yaml")) == []
    h.env["EDITOR"] = "false"
    h.judge("edit", "any-error", status=3)
    assert len(glob.glob(os.path.join(h.path, "any-error-*.yaml"))) == 1
    h.env["EDITOR"] = ""
    h.judge("edit", "any-error", status=2)
    assert "EDITOR" in h.stderr


def test_why_no_draft_came_is_stored_without_secrets():
    secret = "ghp_" + "a1B2" * 9
    with FaultServer(answer=lambda q: Answer("", refusal=f"not with the token {secret} at hand"), plan={"key": SECRET}) as model:
        h = Judged(model.url)
        with open(h.config, "a") as out:
            out.write("redact: true\n")
        h.judge("draft", "Is it polite?", status=3)
        row = h.judge_json("status")["items"][0]
        assert row["state"] == "failed" and "no draft came: not with the token [redacted:" in row["error"], row
        assert secret not in h.stderr and secret.encode() not in open(h.db, "rb").read()


def test_the_rubric_of_the_description_is_one():
    text = open(os.path.join(ROOT, "web", "docs", "judges.md")).read()
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.S)
    h = Home()
    assert len(blocks) == 1 and "1 rubric, 0 problems" in h.run("judge", "check", h.file("r.yaml", blocks[0]))


# ---- models -----------------------------------------------------------------------------------------------------------


def test_without_a_model_one_sentence_says_how():
    h = Judged()
    for args in (("run", "any-error"), ("try", "any-error"), ("test",), ("draft", "a question")):
        h.judge(*args, status=3)
        assert h.stderr.count("\n") == 1 and "TELLTALE_MODEL_URL" in h.stderr and "telltale.yaml" in h.stderr, (args, h.stderr)
    assert h.judge_json("models")["items"] == [] and "TELLTALE_MODEL_URL" in h.stderr
    assert h.judge_json("status")["items"] == []


def test_models_are_listed_and_tested():
    with fault() as model:
        h = Judged(model.url)
        row = h.judge_json("models")["items"][0]
        assert (row["name"], row["origin"], row["key"], row["key_there"], row["default"]) == ("main", "file", "k", True, True)
        assert SECRET not in h.judge("models")
        h.judge("test")
        assert h.judge_json("test", "main")["works"]
        h.file("key", "sk-another-key-9876543210\n")
        said = h.judge("test", status=1)
        assert "another" not in said and "key" in said.lower(), said
        os.unlink(os.path.join(h.path, "key"))
        assert h.judge_json("models")["items"][0]["key_there"] is False
        h.judge("test", "none", status=3)
        h.env.update(TELLTALE_MODEL_URL=model.url + "/v1", TELLTALE_MODEL="tiny-judge", TELLTALE_MODEL_KEY=SECRET)
        assert h.judge_json("test", "env")["works"]


# ---- try, run ---------------------------------------------------------------------------------------------------------


def test_try_answers_and_stores_nothing():
    with fault() as model:
        h = Judged(model.url)
        text = h.judge("try", "any-error", "-c", "c")
        assert text.count("\n  [T0 M") >= 2 and "the step failed" in text and "(flagged)" in text and "$0.00" in text, text
        rows = h.judge_json("try", "any-error", "r0", "r1")
        assert [(r["run"]["external_id"], r["decision"]) for r in sorted(rows["items"], key=lambda r: r["run"]["external_id"])] == [("r0", "yes"), ("r1", "no")]
        assert rows["job"]["state"] == "done"
        assert h.json("sql", "SELECT count(*) FROM judgments")["rows"] == [[0]]
        h.judge("try", "any-error", "r99", status=3)
        assert "r99" in h.stderr


def test_run_says_what_it_takes_judges_and_goes_on():
    with fault() as model:
        h = Judged(model.url)
        before = h.judge_json("run", "any-error", "--estimate")
        assert before["runs"] == 6 and before["calls"] >= 6 and model.books()["requests"] == []
        done = h.judge_json("run", "any-error", "--yes")
        assert len(done["items"]) == 6 and sum(r["flagged"] for r in done["items"]) == 3, done
        assert abs(done["job"]["result"]["usd"] - model.books()["billed"]["usd"]) < 1e-9
        findings = h.json("findings", "--detector", "judge:any-error@1")["items"]
        assert len(findings) == 3 and all(f["evidence"][0]["quote"].startswith("the step failed") for f in findings)
        sarif = json.loads(h.run("findings", "--detector", "judge:any-error@1", "--output", "sarif"))["runs"][0]
        assert {r["ruleId"] for r in sarif["results"]} == {"judge:any-error@1"} <= {r["id"] for r in sarif["tool"]["driver"]["rules"]}
        assert h.judge_json("run", "any-error")["items"] == [] and "judged alike" in h.stderr
        assert model.books()["billed"]["calls"] == 6
        h.judge("run", "any-error", "--again", "--success", "unknown", "--fail-on-flagged", "--yes", status=1)
        rows = h.judge("status", "--output", "csv").splitlines()
        assert len(rows) == 4 and rows[0].startswith("job,kind,state")
        job = h.judge_json("status")["items"][0]["id"]
        assert h.judge_json("status", job)["state"] == "done"
        h.judge("cancel", job, status=3)


def test_a_cap_is_not_passed_and_the_next_run_goes_on():
    with fault() as model:
        h = Judged(model.url)
        done = json.loads(h.judge("run", "any-error", "--max-calls", "2", "--json", status=1))
        assert done["job"]["result"]["stopped"] == "max_calls" and "--max-calls" in h.stderr
        assert model.books()["billed"]["calls"] <= 2
        h.judge("run", "any-error", "--yes")
        assert model.books()["billed"]["calls"] == 6 and h.json("sql", "SELECT count(*) FROM judgments")["rows"] == [[6]]


def test_nobody_to_ask_needs_a_word():
    with fault() as model:
        h = Judged(model.url, price=False)
        h.judge("run", "any-error", status=2)
        assert "--yes" in h.stderr and "--max-calls" in h.stderr
        h.judge("run", "any-error", "--max-usd", "1", status=2)
        h.judge("run", "any-error", "--max-calls", "10")
        h.judge("run", "any-error") # nothing is left to ask
        for wrong in (("--max-calls", "0"), ("--limit", "0"), ("--max-usd", "1e999"), ("--max-usd", "nan"), ("--max-usd", "-1"), ("--temperature", "inf"),
                      ("--samples", "x"), ("--samples", "0"), ("--temperature", "hot"), ("--max-usd", "much"), ("--sample",), ("--then", "no-such:main"), ("--limit", "x"), ("--meta", "k")):
            h.judge("run", "any-error", *wrong, status=3 if "no-such:main" in wrong else 2)


def test_zero_is_no_cap_and_a_small_sum_is_asked_for_too():
    with fault() as model:
        h = Judged(model.url)
        h.judge("run", "any-error", status=2)
        assert "--yes" in h.stderr and "--max-usd" in h.stderr
        for args in (("run", "any-error", "--yes", "--max-calls", "0"), ("run", "any-error", "--yes", "--limit", "0"), ("try", "any-error", "--limit", "0"),
                     ("run", "any-error", "--yes", "--max-usd", "1e999"), ("draft", "Is it good?", "--max-calls", "0"), ("draft", "Is it good?", "--max-usd", "inf")):
            h.judge(*args, status=2)
        assert model.books()["requests"] == []


def test_a_window_that_is_smaller_than_said_is_met_by_smaller_segments():
    with fault() as model:
        h = Judged(model.url)
        h.run("import", h.file("long.jsonl", jsonl([{"id": "long", "messages": [{"role": r, "content": "and on we go " * 120} for r in ("user", "assistant") * 6]}])), "-c", "long")
        for above, state in ((2500, "answered"), (100, "failed")):
            before = len(model.books()["requests"])
            model.set_plan({"cut_above": above})
            done = json.loads(h.judge("run", "any-error", "-c", "long", "--again", "--max-tokens", "900" if state == "failed" else "1000", "--yes", "--json", status=int(state == "failed")))
            assert [(r["state"], r["segments"] > 1) for r in done["items"]] == [(state, True)], (above, done)
            assert done["job"]["result"]["calls"] == len(model.books()["requests"]) - before, done
            if state == "failed":
                assert "set window of model main" in done["items"][0]["error"], done
                assert abs(done["job"]["result"]["usd"]) < 1e-9
        h.judge("run", "any-error", "-c", "long", "--again", "--max-tokens", "800", "--max-calls", "3", "--quiet", status=1)
        assert len(model.books()["requests"]) - before - done["job"]["result"]["calls"] == 3


def test_failed_judgments_are_exit_1():
    with fault(faults={"malformed": 1.0}) as model:
        h = Judged(model.url)
        done = json.loads(h.judge("run", "any-error", "--yes", "--json", status=1))
        assert {r["state"] for r in done["items"]} == {"failed"} and "failed (" in h.stderr


def test_a_cascade_and_findings_choose_runs():
    with fault() as model:
        h = Judged(model.url)
        h.judge("new", "second", "--from", "-", stdin=RUBRIC.replace("any-error", "second").encode())
        done = h.judge_json("run", "any-error", "--then", "second:main", "--yes")
        assert [(s["rubric"], s["total"]) for s in done["job"]["result"]["stages"]] == [("any-error", 6), ("second", 3)]
        h.judge("new", "third", "--from", "-", stdin=RUBRIC.replace("any-error", "third").encode())
        assert len(h.judge_json("run", "third", "--findings", "--detector", "judge:second@1", "--yes")["items"]) == 3
        h.judge("new", "fourth", "--from", "-", stdin=RUBRIC.replace("any-error", "fourth").encode())
        assert len(h.judge_json("run", "fourth", "--task", "t1", "--limit", "2", "--yes")["items"]) == 2
        for args, words in ((("--findings", "--detector", "gave-up-ski"), "did you mean 'gave-up-skip'"), (("--findings", "--detector", "gave-up-skip,nope"), "'nope'"),
                            (("--behavior", "no-such-behaviour-at-all"), "'no-such-behaviour-at-all'"), (("--detector", "judge:fourth@9"), "judge:fourth@9")):
            h.judge("run", "fourth", *args, "--yes", status=2)
            assert words in h.stderr, h.stderr
        h.judge("run", "fourth", "--findings", "--detector", "gave-up-skip,judge:fourth@1", "--behavior", "error-ignored", "--estimate")


def test_ctrl_c_ends_it_and_the_same_command_goes_on():
    with fault(delay_ms=300) as model:
        h = Judged(model.url, runs=150)
        p = subprocess.Popen([PROGRAM, "--db", h.db, "judge", "run", "any-error", "--yes"], env=h.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until = time.monotonic() + 20
        while model.books()["billed"]["calls"] < 20 and time.monotonic() < until:
            time.sleep(0.05)
        began = time.monotonic()
        p.send_signal(signal.SIGINT)
        _, said = p.communicate(timeout=15)
        assert p.returncode == 3 and time.monotonic() - began < 10 and b"same command" in said, (p.returncode, said)
        assert h.judge_json("status")["items"][0]["state"] == "cancelled"
        model.set_plan({"delay_ms": 0})
        h.judge("run", "any-error", "--yes")
        assert h.json("sql", "SELECT count(*) FROM judgments")["rows"] == [[150]]
        assert model.books()["keys_answered"] == 150, "a question was paid twice"


def test_on_a_terminal_it_asks_and_shows_a_bar():
    with fault(delay_ms=200) as model:
        h = Judged(model.url, runs=30)
        for answer, status, calls in ((b"n\n", 3, 0), (b"y\n", 0, 30)):
            pid, terminal = pty.fork()
            if pid == 0:
                os.environ.clear()
                os.environ.update(h.env)
                os.execv(PROGRAM, [PROGRAM, "--db", h.db, "judge", "run", "any-error"])
            said = b""
            while b"[y/N]" not in said:
                said += os.read(terminal, 4096)
            os.write(terminal, answer)
            try:
                while piece := os.read(terminal, 4096):
                    said += piece
            except OSError: # the other side is closed
                pass
            os.close(terminal)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status, said
            assert model.books()["billed"]["calls"] == calls
            assert (b"\r[" in said and b"/30" in said) == bool(calls), said


def test_a_queued_run_waits_for_a_server():
    with fault() as model:
        h = Judged(model.url)
        job = h.judge_json("run", "any-error", "--queue")
        assert job["state"] == "queued" and model.books()["requests"] == []
        assert "cancelled" in h.judge("cancel", job["id"])
        job = h.judge_json("run", "any-error", "--queue")
        server = subprocess.Popen([PROGRAM, "--db", h.db, "serve", "--listen", "127.0.0.1:0"], env=h.env, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 30
            while h.judge_json("status", job["id"])["state"] != "done" and time.monotonic() < until:
                time.sleep(0.2)
            assert h.judge_json("status", job["id"])["state"] == "done"
            assert h.json("sql", "SELECT count(*) FROM judgments")["rows"] == [[6]]
            h.judge("new", "second", "--from", "-", stdin=RUBRIC.replace("any-error", "second").encode())
            assert len(h.judge_json("run", "second", "--yes")["items"]) == 6, "whoever is faster does it"
        finally:
            server.terminate()
            assert server.wait(15) == 0


def test_the_key_shows_nowhere():
    with fault(script=["echo"] * 3) as model:
        h = Judged(model.url)
        said = [h.judge("test", status=1), h.stderr]
        model.set_plan({"faults": {"echo": 0.5}})
        for args in (("try", "any-error", "--json"), ("run", "any-error", "--yes", "--json")):
            done = subprocess.run([PROGRAM, "--db", h.db, "judge", *args], env=h.env, capture_output=True, timeout=120)
            said += [done.stdout.decode(), done.stderr.decode()]
        said += [h.judge("models", "--json"), h.judge("status", "--json"), h.run("export", "-c", "c")]
        assert not any("very-secret" in text for text in said)
        for path in glob.glob(h.db + "*"):
            with open(path, "rb") as f:
                assert b"very-secret" not in f.read(), path


if __name__ == "__main__":
    sys.exit(run.main(globals()))
