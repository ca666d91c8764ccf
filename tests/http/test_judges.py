"""Rubrics, models and judgments over REST, with a model server that also fails."""
import glob
import json
import os
import sys
import tempfile
import threading
import time

from server import ROOT, Server, chat, jsonl
from test_api import check, described

sys.path.insert(0, os.path.join(ROOT, "tests", "llm"))
from fault_server import FaultServer

SECRET = "sk-very-secret-0123456789abcdef"
RUBRIC = """name: any-error
title: Something failed
behavior: error-ignored
question: Does a message say that something failed?
counts:
  - a message that reports a failure
does_not_count:
  - a plan for the case of a failure
finding: { when: { answer: ["yes"] }, severity: high, title: Something failed }
unsure: whether it mattered
"""


class Judging:
    """A server with a collection, and a model of its settings that costs money."""

    def __init__(self, plan=None, answer=None, price=True, timeout=5, concurrency=8, more="", options=()):
        self.folder = tempfile.TemporaryDirectory(prefix="telltale-judges-")
        self.model = FaultServer(answer=answer, plan={"key": SECRET, "price": {"in": 1, "out": 2} if price else {"in": 0, "out": 0}, **(plan or {})})
        self.price, self.timeout, self.concurrency, self.more, self.options = price, timeout, concurrency, more, options

    def __enter__(self):
        self.model.start()
        with open(os.path.join(self.folder.name, "key"), "w") as f:
            f.write(SECRET + "\n")
        price = "price: { in: 1, out: 2 }, " if self.price else ""
        with open(os.path.join(self.folder.name, "telltale.yaml"), "w") as f:
            f.write(f"models:\n  default: main\n  main: {{ url: {self.model.url}/v1, model: tiny-judge, key: k, {price}concurrency: {self.concurrency}, timeout: {self.timeout}{self.more} }}\n"
                    f"keys:\n  k: {{ file: {self.folder.name}/key, for: \"{self.model.url}\" }}\n")
        self.server = Server("--config", os.path.join(self.folder.name, "telltale.yaml"), *self.options)
        return self.server.__enter__(), self.model

    def __exit__(self, *why):
        try:
            self.server.__exit__(*why)
        finally:
            self.model.stop()
            self.folder.cleanup()


def runs(n=6):
    """Every second one has an error in it."""
    return jsonl([chat(f"r{i}", f"please do step {i}" if i % 2 else f"the step failed with code {i}", task_id=f"t{i % 2}") for i in range(n)])


def done(s, job, wait=60):
    ended = s.get(f"jobs/{job['id']}", wait=wait)
    assert ended["state"] == "done", (ended["state"], ended["error"], ended["progress"])
    return ended


def judged(s, **wish):
    return done(s, s.send("POST", "judgments", {"collection": "c", "rubric": "any-error", **wish}, 202))


# ---- rubrics --------------------------------------------------------------------------------------------------------------


def test_rubrics_come_change_and_go():
    with Server() as s:
        doc = s.get("/openapi.json")
        shipped = s.all("rubrics", limit=3)
        assert len(shipped) >= 10 and all(r["shipped"] and r["version"] == r["latest"] == 1 for r in shipped)
        for row in shipped:
            one = s.get("rubrics/" + row["name"])
            check(one, described(doc, "/api/v1/rubrics/{id}", "get", 200), doc)
            assert one["problems"] == [] and one["fields"] and one["decides"] in [f["name"] for f in one["fields"]]
            said = s.send("POST", "rubrics/check", {"text": one["text"]})
            assert said["ok"] and said["rubric"] == one["rubric"], said["problems"]
        made = s.send("POST", "rubrics", {"text": RUBRIC, "author": "ada", "note": "first"}, 201)
        check(made, described(doc, "/api/v1/rubrics", "post", 201), doc)
        assert (made["name"], made["version"], made["author"], made["note"], made["shipped"]) == ("any-error", 1, "ada", "first", False)
        assert made["rubric"]["counts"] == ["a message that reports a failure"] and made["positive"] == ["yes"]
        s.ask("POST", "rubrics", {"text": RUBRIC}).problem(409, "any-error")

        same = s.send("PUT", "rubrics/any-error", {"text": json.dumps(made["rubric"]), "base": 1})
        assert same["version"] == 1, "what means the same is no new version"
        changed = s.send("PUT", "rubrics/any-error", {"text": RUBRIC.replace("unsure: whether", "unsure: if"), "base": 1})
        assert changed["version"] == changed["latest"] == 2
        s.ask("PUT", "rubrics/any-error", {"text": RUBRIC, "base": 1}).problem(409)
        assert s.get("rubrics/any-error", version=1)["rubric"] == made["rubric"] != changed["rubric"]
        s.ask("GET", "rubrics/any-error?version=3").problem(404)
        assert [v["version"] for v in s.all("rubrics/any-error/versions", limit=1)] == [2, 1]
        s.ask("PUT", "rubrics/another", {"text": RUBRIC}).problem(404)
        s.ask("PUT", "rubrics/" + shipped[0]["name"], {"text": RUBRIC}).problem(400, "any-error")
        s.ask("DELETE", "rubrics/" + shipped[0]["name"]).problem(409)
        s.send("DELETE", "rubrics/any-error", status=204)
        s.ask("GET", "rubrics/any-error").problem(404)
        s.ask("GET", "rubrics/any-error/versions").problem(404)


def test_what_is_wrong_with_a_rubric_is_said_with_its_place():
    with Server() as s:
        said = s.send("POST", "rubrics/check", {"text": RUBRIC.replace("question:", "qestion:")})
        assert not said["ok"] and said["rubric"] is None
        assert any(p["line"] == 4 and "question" in p["message"] for p in said["problems"]), said
        s.ask("POST", "rubrics", {"text": RUBRIC.replace("question:", "qestion:")}).problem(422, "line", "column")
        for text in ("", "name: [", "\x01", "- 1", "name: ../../etc/passwd\ntitle: t\nquestion: q", "&a [*a]", "{" * 5000, "name: a\n" * 100):
            said = s.send("POST", "rubrics/check", {"text": text})
            assert not said["ok"] and said["problems"], text[:40]
            if text:
                assert s.ask("POST", "rubrics", {"text": text}).status in (400, 422), text[:40]
        for name in ("..%2f..%2fx", "%00", "a%20b", "x" * 3000, "%ff", "';DROP%20TABLE%20rubric;--"):
            assert s.ask("GET", "rubrics/" + name).status in (400, 404), name
            assert s.ask("DELETE", "rubrics/" + name).status in (400, 404), name
        assert not any(r["name"] == "any-error" for r in s.all("rubrics"))


# ---- models -----------------------------------------------------------------------------------------------------------------


def model(name="mine", **more):
    return {"name": name, "api": "openai", "url": "https://models.example/v1", "model": "m", **more}


def test_models_of_the_file_stand_above_those_of_the_page():
    with Judging() as (s, _):
        doc = s.get("/openapi.json")
        m = s.get("models")
        check(m, described(doc, "/api/v1/models", "get", 200), doc)
        assert m["default"] == "main" and m["how"] is None and m["problems"] == []
        assert [(x["name"], x["origin"], x["key"]) for x in m["items"]] == [("main", "file", "k")]
        assert [(k["name"], k["present"]) for k in m["keys"]] == [("k", True)]
        s.ask("PUT", "models/main", model("main")).problem(409, "telltale.yaml")
        s.ask("DELETE", "models/main").problem(409, "telltale.yaml")
        put = s.send("PUT", "models/mine", model(price={"in": 0.5, "out": 1}, concurrency=2))
        check(put, described(doc, "/api/v1/models/{id}", "put", 200), doc)
        assert put["price"] == {"in": 0.5, "out": 1} and put["concurrency"] == 2
        assert [x["name"] for x in s.get("models")["items"]] == ["main", "mine"]
        s.send("DELETE", "models/mine", status=204)
        s.ask("DELETE", "models/mine").problem(404)


def test_what_the_page_stores_reaches_nothing_private_and_no_key_of_another():
    with Judging() as (s, fault):
        for url in ("http://127.0.0.1:1/v1", "http://localhost:1/v1", "http://[::1]/v1", "http://10.0.0.1/v1", "http://169.254.169.254/latest", "http://0/",
                    "http://2130706433/v1", "http://[::ffff:127.0.0.1]/v1", fault.url + "/v1"):
            if "localhost" in url: # a name is looked up when it is called, and refused then
                s.send("PUT", "models/mine", model(url=url))
                assert "loopback" in s.send("POST", "models/mine/test", {})["said"]
            else:
                s.ask("PUT", "models/mine", model(url=url)).problem(400)
        for url in ("http://127.0.0.1:1/v1", "http://[::1]/v1", fault.url + "/v1"):
            assert s.send("POST", "models/test", model(url=url))["works"] is False, url
        for url in ("file:///etc/passwd", "ftp://h/", "gopher://h/", "https://user:pw@h/v1", "https://", "nonsense", "https://h/v1#x"):
            s.ask("PUT", "models/mine", model(url=url)).problem(400)
        s.ask("PUT", "models/mine", model(key="k")).problem(400)       # for another origin
        s.ask("PUT", "models/mine", model(key="no-such")).problem(400)
        s.ask("PUT", "models/mine", model("other")).problem(400, "other")
        s.ask("PUT", "models/mine", model(secret="x")).problem(400, "secret")
        s.ask("PUT", "models/mine", model(concurrency=0)).problem(400, "concurrency")
        s.ask("PUT", "models/mine", {**model(), "key": {"file": "/etc/passwd"}}).problem(400, "key")
        s.ask("POST", "models/none/test", {}).problem(404)
        assert fault.books()["requests"] == [], "the model server heard of it"


def test_the_test_button_says_what_is_wrong():
    with Judging() as (s, fault):
        doc = s.get("/openapi.json")
        said = s.send("POST", "models/main/test", {})
        check(said, described(doc, "/api/v1/models/{id}/test", "post", 200), doc)
        assert said["works"], said
        for fault_name, word in (("401", "key"), ("404", "model"), ("500", "500"), ("redirect", "redirect"), ("garbage", ""), ("echo", "")):
            fault.set_plan({"script": [fault_name] * 8})
            said = s.send("POST", "models/main/test", {})
            assert not said["works"] and word in said["said"].lower(), (fault_name, said)
            assert SECRET not in json.dumps(said), fault_name
            fault.set_plan({"script": []})


def test_a_model_that_hangs_holds_nobody():
    with Judging(plan={"script": ["hang"] * 40}, timeout=2) as (s, _):
        threads = [threading.Thread(target=lambda: s.ask("POST", "models/main/test", {}, timeout=60)) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(0.3)
        began = time.monotonic()
        for _ in range(20):
            s.get("collections")
            s.send("POST", "collections", {"name": f"c{time.monotonic()}"}, 201)
        assert time.monotonic() - began < 3
        for t in threads:
            t.join()


def test_a_test_that_hangs_keeps_no_server_from_stopping():
    with Judging(plan={"faults": {"hang": 1}}, timeout=60) as (s, model):
        threading.Thread(target=lambda: s.ask("POST", "models/main/test"), daemon=True).start()
        until = time.monotonic() + 10
        while not model.books()["requests"] and time.monotonic() < until:
            time.sleep(.02)
        assert s.stop() < 3


def test_no_model_is_one_sentence():
    with Server() as s:
        s.collection()
        s.upload(runs())
        m = s.get("models")
        assert m["items"] == [] and m["default"] is None and "TELLTALE_MODEL_URL" in m["how"], m
        wish = {"collection": "c", "rubric": s.get("rubrics")["items"][0]["name"]}
        for path in ("judgments", "judgments/estimate"):
            s.ask("POST", path, wish).problem(404, "TELLTALE_MODEL_URL")
        assert s.get("judgments")["items"] == [] and s.get("judges")["items"] == []


# ---- judging ------------------------------------------------------------------------------------------------------------------


def test_from_an_estimate_to_findings():
    with Judging() as (s, fault):
        doc = s.get("/openapi.json")
        s.collection()
        s.upload(runs())
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        wish = {"collection": "c", "rubric": "any-error", "max_usd": 1}
        estimate = s.send("POST", "judgments/estimate", wish)
        check(estimate, described(doc, "/api/v1/judgments/estimate", "post", 200), doc)
        assert estimate["runs"] == 6 and estimate["skipped"] == 0 and estimate["calls"] >= 6 and 0 < estimate["usd"] <= estimate["usd_most"]
        assert fault.books()["requests"] == [], "an estimate asks nobody"

        job = s.send("POST", "judgments", wish, 202)
        check(job, described(doc, "/api/v1/judgments", "post", 202), doc)
        assert job["kind"] == "judge" and job["wish"]["rubric"] == "any-error" and job["wish"]["version"] == 1
        result = done(s, job)["result"]
        assert (result["stages"][0]["done"], result["stages"][0]["flagged"], result["stages"][0]["failed"]) == (6, 3, 0), result
        books = fault.books()
        assert books["billed"]["calls"] == 6 and abs(result["usd"] - books["billed"]["usd"]) < 1e-9, (result, books["billed"])

        rows = s.all("judgments", collection="c", limit=4)
        for row in rows:
            check(row, doc["components"]["schemas"]["Judgment"], doc)
        assert len(rows) == 6 and {r["decision"] for r in rows} == {"yes", "no"} and all(r["current"] and not r["stale"] for r in rows)
        assert len(s.all("judgments", collection="c", decision="yes")) == len(s.all("judgments", flagged=1)) == 3
        assert len(s.all("judgments", job=job["id"], state="answered")) == 6 and s.all("judgments", state="failed") == []
        assert s.all("judgments", rubric="other") == [] and len(s.all("judgments", rubric="any-error", version=1)) == 6
        yes = next(r for r in rows if r["flagged"])
        whole = s.get("judgments/" + yes["id"])
        check(whole, described(doc, "/api/v1/judgments/{id}", "get", 200), doc)
        assert yes["evidence"] is None and whole["evidence"][0]["quote"].startswith("the step failed") and whole["evidence"][0]["weight"] == 1
        assert s.all("judgments", run=yes["run"]["id"])[0]["evidence"] == whole["evidence"]
        judge = s.get("judges", collection="c")
        check(judge, described(doc, "/api/v1/judges", "get", 200), doc)
        assert [(j["rubric"], j["judgments"], j["flagged"], j["judge_key"]) for j in judge["items"]] == [("any-error", 6, 3, yes["judge_key"])]

        findings = s.all("collections/c/findings", detector="judge:any-error@1")
        assert len(findings) == 3 and {f["severity"] for f in findings} == {"high"} and all(f["behavior"] == "error-ignored" for f in findings)
        assert findings[0]["evidence"][0]["weight"] == 1 and findings[0]["evidence"][0]["quote"]
        detector = [d for d in s.get("detectors", collection="c")["items"] if d["rubric"]]
        check(s.get("detectors"), described(doc, "/api/v1/detectors", "get", 200), doc)
        assert [(d["id"], d["rubric"], d["severity"]) for d in detector] == [("judge:any-error@1", "any-error", "high")]
        assert any(d["detector"] == "judge:any-error@1" for d in s.get("collections/c/summary")["detectors"])
        row = next(r for r in s.all("rubrics") if r["name"] == "any-error")
        assert (row["judgments"], row["flagged"]) == (6, 3)
        s.ask("DELETE", "rubrics/any-error").problem(409)

        again = s.send("POST", "judgments/estimate", wish)
        assert again["skipped"] == 6 and again["calls"] == 0, again
        assert judged(s)["result"]["stages"][0]["skipped"] == 6 and fault.books()["billed"]["calls"] == 6


def test_a_key_repeats_a_wish_and_takes_no_other():
    with Judging() as (s, _):
        s.collection()
        s.upload(runs())
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        wish, key = {"collection": "c", "rubric": "any-error"}, {"Idempotency-Key": "once"}
        first = s.send("POST", "judgments", wish, 202, key)
        assert s.send("POST", "judgments", wish, 202, key)["id"] == first["id"]
        s.ask("POST", "judgments", {**wish, "samples": 3}, key).problem(422)
        done(s, first)


def test_a_trial_stores_nothing():
    with Judging() as (s, _):
        s.collection()
        s.upload(runs())
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        result = judged(s, limit=4, **{"try": True})["result"]
        doc = s.get("/openapi.json")
        for row in result["judgments"]:
            check(row, doc["components"]["schemas"]["Judgment"], doc)
        assert len(result["judgments"]) == 4 and any(j["evidence"] for j in result["judgments"])
        assert s.all("judgments") == [] and s.all("collections/c/findings", detector="judge:any-error@1") == []


def test_failed_is_failed_and_never_no():
    with Judging(plan={"faults": {"malformed": 1.0}}) as (s, _):
        s.collection()
        s.upload(runs(2))
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        result = judged(s)["result"]
        assert result["stages"][0]["failed"] == 2 and result["failures"]
        rows = s.all("judgments", state="failed")
        assert len(rows) == 2 and all(r["decision"] is None and r["answer"] is None and r["error"] for r in rows)
        assert s.get("judgments/" + rows[0]["id"])["raw"]


def test_a_wish_that_means_nothing_is_refused():
    with Judging() as (s, fault):
        s.collection()
        s.upload(runs(2))
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        good = {"collection": "c", "rubric": "any-error"}
        for change, status in (({"rubric": "no-such"}, 404), ({"collection": "no-such"}, 404), ({"model": "no-such"}, 404), ({"version": 9}, 404), ({"samples": 0}, 400),
                               ({"samples": 65}, 400), ({"samples": "3"}, 400), ({"temperature": 3}, 400), ({"temperature": "hot"}, 400), ({"max_usd": -1}, 400),
                               ({"ids": []}, 400), ({"ids": ["x"]}, 400), ({"ids": [1]}, 400), ({"filter": {"nonsense": "x"}}, 400), ({"filter": []}, 400), ({"findings": {"detector": "nope"}}, 400), ({"filter": {"behavior": "no-such"}}, 400),
                               ({"filter": {}, "findings": {}}, 400), ({"sample": True}, 400), ({"stages": {}}, 400), ({"stages": [{"rubric": "no-such"}]}, 404),
                               ({"stages": [{}]}, 400), ({"stages": [{"rubric": "any-error"}] * 20}, 400), ({"try": True}, 400), ({"nonsense": 1}, 400), ({"seed": -1}, 400)):
            for path in ("judgments", "judgments/estimate"):
                s.ask("POST", path, {**good, **change}).problem(status)
        s.ask("POST", "judgments", b"[1]").problem(400)
        s.ask("POST", "judgments", b"{").problem(400)
        s.ask("POST", "judgments", b'{"collection": "c", "rubric": "any-error", "max_usd": 1e999}').problem(400)
        for query in ("state=no", "flagged=maybe", "version=0", "collection=no-such", "limit=0", "after=zzz", "nonsense=1"):
            assert s.ask("GET", "judgments?" + query).status in (400, 404), query
        s.ask("GET", "judgments/00000000-0000-4000-8000-000000000000").problem(404)
        s.ask("GET", "judgments/x").problem(404)
        assert fault.books()["requests"] == [] and not any(j["kind"] == "judge" for j in s.all("jobs"))


def test_money_that_has_no_price_cannot_be_capped():
    with Judging(price=False) as (s, _):
        s.collection()
        s.upload(runs(2))
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        s.ask("POST", "judgments", {"collection": "c", "rubric": "any-error", "max_usd": 1}).problem(400, "max_calls")
        assert s.send("POST", "judgments/estimate", {"collection": "c", "rubric": "any-error"})["usd"] is None
        assert judged(s)["result"]["usd"] is None


def test_a_cascade_begins_with_findings():
    with Judging() as (s, fault):
        s.collection()
        s.upload(runs())
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        s.send("POST", "rubrics", {"text": RUBRIC.replace("any-error", "second")}, 201)
        result = judged(s, stages=[{"rubric": "second"}])["result"]
        assert [(x["rubric"], x["total"], x["flagged"]) for x in result["stages"]] == [("any-error", 6, 3), ("second", 3, 3)], result
        s.send("POST", "rubrics", {"text": RUBRIC.replace("any-error", "third")}, 201)
        third = s.send("POST", "judgments", {"collection": "c", "rubric": "third", "findings": {"detector": "judge:second@1"}}, 202)
        assert done(s, third)["result"]["stages"][0]["total"] == 3


def test_other_sites_may_not_spend():
    with Judging() as (s, fault):
        evil = {"Origin": "https://evil.example"}
        for method, path, body in (("POST", "judgments", {}), ("PUT", "models/mine", model()), ("POST", "models/main/test", {}), ("POST", "models/test", model()),
                                   ("POST", "rubrics", {"text": RUBRIC}), ("POST", "rubrics/draft", {"sentence": "s"}), ("DELETE", "rubrics/x", None)):
            s.ask(method, path, body, evil).problem(403)
        assert fault.books()["requests"] == []


def test_the_key_shows_nowhere():
    with Judging(plan={"script": ["echo", "401", None]}) as (s, fault):
        answers = []
        s.collection()
        s.upload(runs(2))
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        for _ in range(3):
            answers.append(s.ask("POST", "models/main/test", {}).body)
        fault.set_plan({"script": ["echo", "500", "echo"]})
        job = s.send("POST", "judgments", {"collection": "c", "rubric": "any-error"}, 202)
        answers.append(json.dumps(s.get(f"jobs/{job['id']}", wait=60)).encode())
        for path in ("models", "jobs", "judgments", "judges", "detectors", "rubrics/any-error", "/openapi.json"):
            answers.append(json.dumps(s.get(path)).encode())
        answers.append(s.ask("GET", "/metrics").body)
        answers.append(s.ask("GET", "collections/c/export").body)
        for body in answers:
            assert SECRET.encode() not in body and b"very-secret" not in body
        for path in glob.glob(s.db + "*") + [os.path.join(s.path, "log")]:
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    assert b"very-secret" not in f.read(), path


def test_a_judging_job_is_cancelled():
    with Judging(plan={"delay_ms": 300}) as (s, _):
        s.collection()
        s.upload(runs(200))
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        job = s.send("POST", "judgments", {"collection": "c", "rubric": "any-error"}, 202)
        until = time.monotonic() + 20
        while time.monotonic() < until and not (s.get(f"jobs/{job['id']}")["progress"] or {}).get("done"):
            time.sleep(0.1)
        s.send("DELETE", f"jobs/{job['id']}")
        ended = s.get(f"jobs/{job['id']}", wait=20)
        assert ended["state"] == "cancelled", ended
        kept = len(s.all("judgments"))
        assert 0 < kept < 200
        assert done(s, s.send("POST", "judgments", {"collection": "c", "rubric": "any-error"}, 202), 120)["result"]["stages"][0]["skipped"] == kept
        assert len(s.all("judgments")) == 200
