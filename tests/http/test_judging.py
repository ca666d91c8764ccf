"""Judging as a job: money, faults, crashes, outages. What is asked, billed and stored is held against the model server's own books."""
import subprocess
import time

from server import COST, PROGRAM, chat, jsonl
from test_judges import Judging, RUBRIC, done

PRICE = {"in": 1, "out": 2}  # USD for a million tokens, as in the settings
# Faults after which a reply came whole: it is paid for, whatever it says.
WHOLE = {"answered", "repeated", "refuse", "length", "wrong-schema", "malformed"}
FAULTS = {"429": {"chance": .04, "retry_after": 0}, "500": .03, "502": .02, "503": .02, "529": .02, "half": .03, "reset": .03, "reset-before": .02, "garbage": .02,
          "html": .02, "wrong-schema": .02, "malformed": .03, "empty": .02, "huge": {"chance": .005, "bytes": 5 << 20}, "stream": .02, "refuse": .02, "length": .02,
          "deep": .01, "413": .01}


def differing(n, bad=2, words=20):
    """Runs of which no two are alike; every second one fails."""
    return jsonl([chat(f"r{i}", f"number {i}: " + ("the step failed " if i % bad == 0 else "please do it ") + "and so on " * words) for i in range(n)])


def add_rubric(s, text=RUBRIC):
    s.send("POST", "rubrics", {"text": text}, 201)


def prepare(s, n, **more):
    s.collection()
    s.upload(differing(n, **more))
    add_rubric(s)


def start(s, **wish):
    return s.send("POST", "judgments", {"collection": "c", "rubric": "any-error", **wish}, 202)


def ended(s, job, wait=120):
    until = time.monotonic() + wait
    while time.monotonic() < until:
        row = s.get(f"jobs/{job['id']}", wait=10)
        if row["state"] in ("done", "failed", "cancelled"):
            return row
    raise AssertionError(f"job is still {row['state']}: {row['progress']}")


def cost(entry):
    return (entry["tokens_in"] * PRICE["in"] + entry["tokens_out"] * PRICE["out"]) / 1e6


def paid(books):
    """USD of the replies that came whole, each as often as it came: a repeated one says again what it cost, and an empty one that ends its call is
    paid for by what it says. One that is followed by another try stands with the unsettled ones."""
    of_key = {r["idempotency"]: cost(r) for r in books["requests"] if r["billed"]}
    last = {r["idempotency"]: r["n"] for r in books["requests"]}
    return sum(of_key[r["idempotency"]] if r["did"] == "repeated" else cost(r) for r in books["requests"]
               if r["did"] in WHOLE or (r["did"] == "empty" and last[r["idempotency"]] == r["n"]))


def judgments(s, **query):
    return s.all("judgments", collection="c", limit=1000, **query)


def wait_until(what, wait=60):
    until = time.monotonic() + wait
    while time.monotonic() < until:
        if what():
            return
        time.sleep(.02)
    raise AssertionError("it never came so far")


# ---- faults and money -----------------------------------------------------------------------------------------------------


def test_a_thousand_judgments_under_random_faults():
    with Judging(plan={"faults": FAULTS, "seed": 7}, concurrency=64) as (s, model):
        prepare(s, 1000)
        result = done(s, start(s), wait=300)["result"]
        rows, books = judgments(s), model.books()
        assert len(rows) == 1000 and len({r["run"]["id"] for r in rows}) == 1000
        for r in rows:
            i = int(r["run"]["external_id"][1:])
            if r["state"] == "failed":
                assert r["answer"] is None and r["decision"] is None and not r["flagged"] and r["error"], r
            else:
                assert (r["state"], r["decision"], r["flagged"], r["dropped"]) == ("answered", "no" if i % 2 else "yes", i % 2 == 0, 0), r
        failed = [r for r in rows if r["state"] == "failed"]
        assert 5 < len(failed) < 200, len(failed)
        stage = result["stages"][0]
        assert (stage["failed"], stage["answered"], stage["done"], result["remaining"]) == (len(failed), 1000 - len(failed), 1000, 0), stage
        assert sum(f["n"] for f in result["failures"]) == len(failed) and any("declined" in f["reason"] for f in result["failures"]), result["failures"]
        # The books: every try, every token, every dollar.
        assert result["calls"] == len(books["requests"]), (result["calls"], len(books["requests"]))
        assert abs(result["usd"] - paid(books)) < 1e-9, (result["usd"], paid(books))
        assert books["billed"]["usd"] <= result["usd"] + result["usd_unsettled"] + 1e-9
        assert max(r for r in [sum(q["idempotency"] == k for q in books["requests"]) for k in {q["idempotency"] for q in books["requests"]}]) <= 6, "tries are bounded"


def test_no_cap_is_ever_passed():
    with Judging(plan={"idempotent": False}, concurrency=16) as (s, model):
        prepare(s, 60)
        whole = done(s, start(s))["result"]["usd"]
        most_of_one = .0065
        version, calm = 1, {"faults": {}}
        wild = {"faults": {"half": .1, "reset": .1, "500": .1, "429": {"chance": .1, "retry_after": 0}, "malformed": .1}}
        for plan in (calm, wild):
            for caps in ({"max_usd": 0}, {"max_usd": whole / 500}, {"max_usd": whole / 12}, {"max_usd": whole / 5}, {"max_usd": whole / 3}, {"max_calls": 1}, {"max_calls": 7},
                         {"max_calls": 33}, {"max_calls": 59}, {"max_calls": 25, "max_usd": whole / 3}, {"max_usd": whole * .8}):
                version += 1 # another question, so that nothing is in the cache
                s.send("PUT", "rubrics/any-error", {"text": RUBRIC.replace("something failed?", f"something failed, for the {version}th time?")})
                model.reset()
                model.set_plan({"key": model.plan["key"], "price": PRICE, "idempotent": False, "seed": version, **plan})
                result, books = done(s, start(s, **caps), wait=120)["result"], model.books()
                spent = result["usd"] + result["usd_unsettled"]
                assert result["calls"] == len(books["requests"]) <= caps.get("max_calls", 1 << 30), (caps, result)
                assert books["billed"]["usd"] <= spent + 1e-9 and spent <= caps.get("max_usd", 1e9) + 1e-9, (caps, result, books["billed"])
                assert result["stopped"] in caps and result["remaining"] > 0, (caps, result)
                assert result["remaining"] + result["stages"][0]["done"] == 60
                # It does not end early either: no more is left than one call may take. A call whose answer was lost counts with all that it may have
                # cost, ten times what it did cost, so that two of them can leave nothing of a third of the money, and nothing judged.
                assert result["stopped"] != "max_usd" or caps["max_usd"] - spent < most_of_one, (caps, result)
        # With more money the same goes on: what was judged and answered is not asked again.
        model.reset()
        result = done(s, start(s), wait=120)["result"]
        assert result["stopped"] is None and result["remaining"] == 0 and 0 < result["stages"][0]["skipped"] < 60, result
        assert len(judgments(s, version=version, rubric="any-error")) == 60


def test_an_outage_pauses_and_burns_nothing():
    with Judging(plan={"delay_ms": 20}) as (s, model):
        prepare(s, 300)
        job = start(s)
        wait_until(lambda: len(model.books()["requests"]) > 40)
        model.set_plan({**model.plan, "outage": {"after": 0, "seconds": 4}})
        paused = []
        def look():
            progress = s.get(f"jobs/{job['id']}")["progress"] or {}
            paused.append(progress) if progress.get("paused") else None
            return paused
        wait_until(look, 15)
        assert paused[0]["until"] and len(paused[0]["paused"]) > 10, paused[0]
        result, books = ended(s, job)["result"], model.books()
        assert result["stages"][0]["answered"] == 300 and result["stages"][0]["failed"] == 0, result
        assert sum(r["did"] == "503" for r in books["requests"]) < 120, "a probe now and then, not all again and again"


def test_a_dead_connection_ends_the_job_and_another_goes_on():
    with Judging(plan={"delay_ms": 10}) as (s, model):
        prepare(s, 200)
        job = start(s)
        wait_until(lambda: len(model.books()["requests"]) > 60)
        plan = dict(model.plan)
        model.set_plan({**plan, "key": "another"})
        row = ended(s, job)
        assert row["state"] == "failed" and "401" in row["error"], row["error"]
        rows = judgments(s)
        assert 30 < len(rows) < 200 and all(r["state"] == "answered" for r in rows), len(rows)
        model.set_plan(plan)
        done(s, start(s), wait=60)
        assert len(judgments(s)) == 200 and model.books()["billed"]["calls"] == 200


# ---- crashes, cancelling --------------------------------------------------------------------------------------------------


def test_killed_in_the_middle_it_goes_on():
    with Judging(plan={"delay_ms": 40}) as (s, model):
        prepare(s, 500)
        job = start(s)
        for asked in (60, 150, 240, 330, 420):
            wait_until(lambda: len(model.books()["requests"]) >= asked)
            s.kill()
            s.start()
        result, books, rows = ended(s, job)["result"], model.books(), judgments(s, all="true")
        assert len(rows) == 500 and len({r["run"]["id"] for r in rows}) == 500 and all(r["state"] == "answered" for r in rows)
        assert books["billed"]["calls"] == 500, "the gateway knows each question by its Idempotency-Key"
        most = 500 + 5 * 2 * 8 # five times what was on its way, and what came in the moment before an answer is booked: about as much
        assert len(books["requests"]) <= most, f"only what was on its way, or not yet booked, is asked again, not {len(books['requests'])}"
        assert result["calls"] >= len(books["requests"]) and books["billed"]["usd"] <= result["usd"] + result["usd_unsettled"] + 1e-9
        assert result["stages"][0]["answered"] == 500 and s.get("runs/" + rows[0]["run"]["id"])


def test_a_server_that_stops_puts_it_back():
    with Judging(plan={"delay_ms": 50}) as (s, model):
        prepare(s, 150)
        job = start(s)
        wait_until(lambda: len(model.books()["requests"]) > 30)
        s.stop()
        s.start()
        row = ended(s, job)
        assert row["state"] == "done" and len(judgments(s, all="true")) == 150 and model.books()["billed"]["calls"] == 150


def test_cancelled_it_ends_within_a_second_and_keeps_what_was_judged():
    with Judging(plan={"delay_ms": 100}) as (s, model):
        prepare(s, 300)
        job = start(s)
        wait_until(lambda: len(judgments(s)) > 10)
        began = time.monotonic()
        s.send("DELETE", f"jobs/{job['id']}")
        row = s.get(f"jobs/{job['id']}", wait=10)
        assert row["state"] == "cancelled" and time.monotonic() - began < 1, (row["state"], time.monotonic() - began)
        n = len(judgments(s))
        assert 10 < n < 300
        # By another process, which can only leave word in the database.
        job = start(s)
        wait_until(lambda: len(judgments(s)) > n + 10)
        began = time.monotonic()
        subprocess.run([PROGRAM, "--db", s.db, "judge", "cancel", job["id"]], check=True, capture_output=True)
        row = s.get(f"jobs/{job['id']}", wait=10)
        assert row["state"] == "cancelled" and time.monotonic() - began < 1, (row["state"], time.monotonic() - began)
        done(s, start(s))
        assert len(judgments(s, all="true")) == 300


def test_two_jobs_that_ask_the_same_at_once_pay_once():
    with Judging(plan={"delay_ms": 100, "idempotent": False}) as (s, model):
        prepare(s, 120)
        job = start(s)
        wait_until(lambda: len(model.books()["requests"]) > 10)
        subprocess.run([PROGRAM, "--db", s.db, "judge", "run", "any-error", "-c", "c", "--yes", "--config", s.options[1]], check=True, capture_output=True)
        result, books = ended(s, job)["result"], model.books()
        assert books["billed"]["calls"] == len(books["requests"]) == 120, len(books["requests"])
        assert result["remaining"] == 0 and {r["run"]["id"] for r in judgments(s)} == {r["id"] for r in s.all("collections/c/runs")}


def test_many_at_a_time_in_little_memory():
    with Judging(plan={"delay_ms": 200}, concurrency=64) as (s, model):
        prepare(s, 640, words=2000)
        done(s, start(s), wait=120)
        assert model.books()["most_in_flight"] >= 60 // COST
        with open(f"/proc/{s.process.pid}/status") as f:
            peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        assert peak < COST * 160 << 10, f"{peak >> 10} MB" # with what the import took

# ---- one judgment ---------------------------------------------------------------------------------------------------------


def one(plan=None, more="", text="the step failed", rubric=RUBRIC, messages=None, **wish):
    """The judgment of one run, and the books."""
    with Judging(plan=plan, more=more) as (s, books):
        s.collection()
        run = {"id": "r", "messages": messages} if messages else chat("r", text)
        s.upload(jsonl([run]))
        add_rubric(s, rubric)
        done(s, start(s, **wish))
        rows = judgments(s)
        assert len(rows) == 1
        return s.get("judgments/" + rows[0]["id"]), books.books()


def test_what_is_malformed_is_asked_once_more():
    row, books = one(plan={"script": ["malformed"]})
    assert row["state"] == "answered" and row["calls"] == 2 and len(books["requests"]) == 2, row
    row, books = one(plan={"script": ["malformed", "wrong-schema"]})
    assert row["state"] == "failed" and row["decision"] is None and row["raw"] and row["error"] and row["calls"] == 2, row
    row, _ = one(plan={"script": ["refuse"]})
    assert row["state"] == "failed" and "declined" in row["error"] and row["decision"] is None, row


def test_what_says_nothing_is_paid_for_too():
    with Judging(plan={"faults": {"empty": 1}, "idempotent": False}) as (s, model):
        prepare(s, 1)
        result, books = done(s, start(s))["result"], model.books()
        first, second = books["requests"]
        assert judgments(s)[0]["state"] == "failed" and abs(result["usd"] - cost(second)) < 1e-9 and result["usd_unsettled"] >= cost(first), (result, books)


def test_false_quotes_are_dropped():
    lie = {"explanation": "x", "citations": [{"transcript": 0, "message": 0, "quote": "words that stand nowhere"}], "answer": "yes"}
    row, _ = one(plan={"answers": [{"answer": lie}]})
    assert (row["state"], row["dropped"], row["flagged"], row["evidence"]) == ("unsupported", 1, False, []), row
    true = {**lie, "citations": lie["citations"] + [{"transcript": 0, "message": 0, "quote": "step failed"}]}
    row, _ = one(plan={"answers": [{"answer": true}]})
    assert (row["state"], row["dropped"], row["flagged"]) == ("answered", 1, True) and [x["quote"] for x in row["evidence"]] == ["step failed"], row


def test_samples_vote_and_agree_on_evidence():
    row, books = one(plan={"confidence": .7}, samples=15, temperature=1)
    votes = {v["value"]: v["n"] for v in row["distribution"]}
    assert sum(votes.values()) == 15 == len(books["requests"]) and votes[row["decision"]] == max(votes.values()), votes
    assert abs(row["share"] - max(votes.values()) / 15) < 1e-9
    assert row["decision"] != "yes" or all(0 < x["weight"] <= 1 for x in row["evidence"])


def test_the_paired_question_by_log_probabilities_and_by_counts():
    row, books = one(plan={"confidence": .8, "sway": .5}, more=", logprobs: true", paired=1)
    assert len(books["requests"]) == 3 and row["paired"]["by"] == "log-probabilities", row
    first, second = row["paired"]["first"], row["paired"]["second"]
    assert abs(row["epistemic_confidence"] - min(1, first / second)) < 1e-6 and second > first, row["paired"]
    row, books = one(plan={"confidence": 1}, paired=5)
    assert len(books["requests"]) == 11 and row["paired"]["by"] == "counts" and row["epistemic_confidence"] == 1, row


LONG = [{"role": "user", "content": f"step {i}: " + ("it failed here " if i == 30 else "all went well ") * 60} for i in range(40)]


def test_a_long_run_is_read_in_segments():
    row, books = one(more=", window: 6000", messages=LONG)
    assert row["segments"] > 2 and len(books["requests"]) == row["segments"] and row["decision"] == "yes" and row["flagged"], row
    assert all("it failed here" in x["quote"] for x in row["evidence"]) and row["evidence"][0]["message"] == 30, row["evidence"]
    row, books = one(more=", window: 6000", messages=LONG, rubric=RUBRIC + "reduce: ask\n")
    assert len(books["requests"]) == row["segments"] + 1 and row["state"] in ("answered", "unsupported"), row


def test_a_cascade_confirms_what_was_flagged():
    strict = RUBRIC.replace("any-error", "surely").replace("Does a", "Does really a")
    no = {"explanation": "x", "citations": [], "answer": "no"}
    with Judging(plan={"answers": [{"contains": "Does really a", "answer": no}]}) as (s, model):
        prepare(s, 20)
        add_rubric(s, strict)
        result = done(s, start(s, stages=[{"rubric": "surely"}]))["result"]
        first, second = result["stages"]
        assert (first["done"], first["flagged"], second["total"], second["answered"], second["flagged"]) == (20, 10, 10, 10, 0), result["stages"]
        assert first["calls"] == 20 and second["calls"] == 10 and abs(first["usd"] + second["usd"] - result["usd"]) < 1e-9
        result = done(s, start(s, rubric="surely", stages=[{"rubric": "any-error", "when": ["no"]}]))["result"]
        assert [x["total"] for x in result["stages"]] == [20, 20] and result["stages"][1]["skipped"] == 20, result["stages"]


def test_a_run_that_goes_meanwhile_is_left():
    with Judging(plan={"delay_ms": 150}, concurrency=1) as (s, model):
        prepare(s, 12)
        runs = s.all("collections/c/runs")
        job = start(s, ids=[r["id"] for r in runs])
        wait_until(lambda: len(model.books()["requests"]) > 2)
        s.send("DELETE", "runs/" + runs[-1]["id"], status=204)
        row = ended(s, job)
        assert row["state"] == "done" and len(judgments(s)) == 11, row


# ---- help with a rubric -----------------------------------------------------------------------------------------------------

DRAFT = {"name": "lost-hope", "title": "Lost hope", "question": "Does the agent lose hope?", "counts": ["it says so"], "does_not_count": ["a plan"],
         "examples": [{"run": "assistant: it is hopeless", "value": "yes", "why": "it says so"}, {"run": "assistant: done", "value": "no", "why": "nothing"}],
         "values": ["yes", "no"], "flag": ["yes"], "severity": "low", "behavior": "gave-up", "unsure": "moods", "questions": ["Do jokes count?"]}


def draft(s, **wish):
    return done(s, s.send("POST", "rubrics/draft", wish, 202))["result"]


def test_a_rubric_is_drafted_from_a_sentence():
    with Judging(plan={"answers": [{"contains": "find out about", "answer": DRAFT}]}) as (s, model):
        made = draft(s, sentence="When do agents lose hope?")
        assert made["parsed"] and made["questions"] == ["Do jokes count?"] and made["before"] is None, made
        s.send("POST", "rubrics", {"text": made["text"]}, 201)
        assert s.get("rubrics/lost-hope")["title"] == "Lost hope"
        model.set_plan({**model.plan, "answers": [{"contains": "find out about", "text": "I would rather not"}]})
        made = draft(s, sentence="When do agents lose heart?")
        assert not made["parsed"] and "I would rather not" in made["text"] and made["error"] and made["calls"] == 2, made


def test_an_edit_is_measured_on_the_dev_runs():
    edit = {"question": "Does a message say that something failed, however mildly?", "counts": ["any failure"], "does_not_count": ["a plan"], "unsure": "", "why": "said",
            "questions": []}
    no, yes = ({"explanation": "x", "citations": [{"transcript": 0, "message": 0, "quote": "number"}], "answer": a} for a in ("no", "yes"))
    plan = {"answers": [{"contains": "Judge and people disagree", "answer": edit}, {"contains": "however mildly", "answer": yes}, {"answer": no}]}
    with Judging(plan=plan) as (s, model):
        prepare(s, 30)
        s.send("POST", "labels/sets", {"name": "mine", "rubric": "any-error"}, 201)
        for r in s.all("collections/c/runs"):
            s.send("POST", "labels", {"run": r["id"], "set": "mine", "value": {"answer": "yes"}, "who": "ann"})
        made = draft(s, rubric="any-error", collection="c", set="mine")
        assert made["parsed"] and "however mildly" in made["text"] and 5 < made["dev_runs"] < 25, made
        assert made["before"]["accuracy"]["value"] == 0 and made["after"]["accuracy"]["value"] == 1 and made["after"]["n"] == made["dev_runs"], made
        assert len(made["changed"]) == made["dev_runs"] and s.get("rubrics/any-error")["latest"] == 1 and judgments(s) == []
