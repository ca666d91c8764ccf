"""Two groups of runs over the tasks that both ran, over the API and on the command line."""
import json
import subprocess

from server import PROGRAM, Server, jsonl
from test_api import check, described

TASKS = 12


def run(task, model, success, tools, attempt=1, **more):
    calls = [{"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": json.dumps({"q": f"{task} {i}"})}}
             for i, name in enumerate(tools)]
    messages = [{"role": "user", "content": f"do {task}"}]
    for call in calls:
        messages += [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": call["id"], "content": "ok"}]
    return {"id": f"{task}-{model}-{attempt}", "task_id": task, "model": model, "success": success, "messages": messages + [{"role": "assistant", "content": "done"}],
            **more}


def put(s):
    s.collection()
    rows = []
    for t in range(TASKS):
        task = f"t{t:02}"
        rows.append(run(task, "old", t < 3, ["read", "write"]))
        rows.append(run(task, "new, better", t < 9, ["read", "check", "write"], metadata={"build": {"id": "7"}}))
    rows.append(run("only", "old", True, ["read"]))
    s.upload(jsonl(rows))


def test_two_groups_are_compared_pair_by_pair():
    with Server() as s:
        put(s)
        doc = s.get("/openapi.json")
        c = s.get("collections/c/compare", by="model", a="old", b="new, better")
        check(c, described(doc, "/api/v1/collections/{c}/compare", "get", 200), doc)
        o = c["outcome"]
        assert (o["test"], o["tasks"], o["wins"], o["losses"], o["ties"]) == ("mcnemar", TASKS, 6, 0, 6), o
        assert abs(o["p"] - 2 / 2**6) < 1e-12 and abs(o["difference"] - 0.5) < 1e-12 and 0 < o["low"] < 0.5 < o["high"] < 1, o
        assert c["a"]["runs"] == TASKS + 1 and c["a"]["passed"] == 4 and c["shared_tasks"] == TASKS and c["both"] == 0, c
        calls = next(r for r in c["changed"] if r["name"] == "calls")
        assert (calls["a"], calls["b"], calls["difference"], calls["tasks"]) == (2, 3, 1, TASKS) and calls["adjusted"] < 0.01, calls
        assert c["changed"] == sorted(c["changed"], key=lambda r: -r["weight"])
        assert all(sum(h[side]) == TASKS for h in c["sizes"] for side in "ab"), c["sizes"]
        assert sorted(t["task_id"] for t in c["tasks"][:6]) == [f"t{i:02}" for i in range(3, 9)] and c["more_tasks"] == 0
        # the other way round, and against the rest, are the same with the signs turned
        back = s.get("collections/c/compare", by="model", a="new, better", b="old")["outcome"]
        assert back["wins"] == 0 and back["losses"] == 6 and abs(back["difference"] + 0.5) < 1e-12
        rest = s.get("collections/c/compare", by="model", a="old")
        assert rest["outcome"] == o and rest["b"]["value"] is None and rest["b"]["runs"] == TASKS
        assert s.get("collections/c/compare", by="meta.build.id", a="7")["outcome"]["losses"] == 6
        few = s.get("collections/c/compare", by="model", a="old", b="new, better", task="t00,t03")
        assert few["shared_tasks"] == 2 and few["outcome"]["wins"] == 1
        twice = s.get("collections/c/compare", by="model", a="old", b="old")
        assert twice["both"] == TASKS + 1 and twice["a"]["runs"] == twice["b"]["runs"] == 0, twice
        none = s.get("collections/c/compare", by="model", a="nobody", b="old")
        assert none["a"]["runs"] == 0 and none["shared_tasks"] == 0 and none["outcome"]["p"] is None and none["changed"] == []
        for wrong in ({"by": "colour", "a": "x"}, {"by": "meta.", "a": "x"}, {"by": "success", "a": "perhaps"}, {"a": "x"}, {"by": "model"}):
            s.ask("GET", "collections/c/compare?" + "&".join(f"{k}={v}" for k, v in wrong.items())).problem(400)
        s.ask("GET", "collections/none/compare?by=model&a=x").problem(404)


def test_what_one_does_and_the_other_does_not():
    with Server() as s:
        put(s)
        doc = s.get("/openapi.json")
        c = s.get("collections/c/contrast", by="model", a="old", b="new, better")
        check(c, described(doc, "/api/v1/collections/{c}/contrast", "get", 200), doc)
        said = {i["actions"]: i for i in c["items"]}
        more, less = [i for i in c["items"] if i["b"] > i["a"]], [i for i in c["items"] if i["b"] < i["a"]]
        assert len(more) == 1 and "check" in more[0]["actions"] and more[0]["a"] == 0 and more[0]["b"] == 1, said
        assert [i["actions"] for i in less] == ["read → write"], said
        assert more[0]["shown"] and all(at["quote"].startswith('{"q"') and at["message"] > 0 for at in more[0]["shown"]), more
        names = {r["id"]: r["model"] for r in s.all("collections/c/runs")}
        assert {names[at["run"]] for at in more[0]["shown"]} == {"new, better"} and {names[at["run"]] for at in less[0]["shown"]} == {"old"}
        assert s.get("collections/c/contrast", by="model", a="old", b="nobody")["items"] == []


def test_the_command_line_says_the_same():
    with Server() as s:
        put(s)
        over = s.get("collections/c/compare", by="model", a="old", b="new, better")
        done = subprocess.run([PROGRAM, "--db", s.db, "compare", "--by", "model", "old", "new, better"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "12 tasks were run by both: b is better on 6, worse on 0, the same on 6." in done.stdout, done
        assert "P 0.031, by McNemar's exact test" in done.stdout, done.stdout
        as_json = subprocess.run([PROGRAM, "--db", s.db, "compare", "--by", "model", "old", "new, better", "--output", "json"], capture_output=True, timeout=60)
        assert json.loads(as_json.stdout) == over
        rows = subprocess.run([PROGRAM, "--db", s.db, "compare", "--by", "model", "old", "new, better", "--output", "jsonl"], capture_output=True, timeout=60)
        assert [json.loads(line) for line in rows.stdout.splitlines()] == over["changed"]
        for args in (["old"], ["--by", "colour", "old"]):
            assert subprocess.run([PROGRAM, "--db", s.db, "compare", *args], capture_output=True, timeout=60).returncode == 2, args


def test_a_map_is_drawn_kept_and_goes_stale():
    with Server() as s:
        put(s)
        doc = s.get("/openapi.json")
        none = s.get("collections/c/map")
        check(none, described(doc, "/api/v1/collections/{c}/map", "get", 200), doc)
        assert none["made_at"] is None and none["stale"] and none["runs"] == [], none
        s.ask("GET", "collections/none/map").problem(404)
        job = s.send("POST", "collections/c/map", {}, 202)
        done = s.get(f"jobs/{job['id']}", wait=30)
        assert done["state"] == "done" and done["kind"] == "map", done
        m = s.get("collections/c/map", field="model")
        check(m, described(doc, "/api/v1/collections/{c}/map", "get", 200), doc)
        n = 2 * TASKS + 1
        assert len(m["runs"]) == len(set(m["runs"])) == len(m["x"]) == len(m["y"]) == len(m["values"]) == n and not m["stale"], m
        assert all(abs(v) <= m["scale"] for v in m["x"] + m["y"]) and max(map(abs, m["x"])) == m["scale"]
        names = {r["id"]: r["model"] for r in s.all("collections/c/runs")}
        assert [m["words"][v - 1] for v in m["values"]] == [names[r] for r in m["runs"]]
        # what every run of a model does alike lies in one place, and the models apart
        assert m["about"]["contrastive"] and m["about"]["pairs"] == TASKS
        at = {model: {(x, y) for r, x, y in zip(m["runs"], m["x"], m["y"]) if names[r] == model} for model in set(names.values())}
        assert len(at["new, better"]) == 1 and not at["new, better"] & at["old"], at
        few = s.get("collections/c/map", field="calls", model="old")
        assert few["numbers"] and sum(few["shown"]) == TASKS + 1 and set(few["values"]) == {1, 2, 3}
        s.ask("GET", "collections/c/map?field=colour").problem(400)
        s.upload(jsonl([run("late", "old", True, ["read"])]))
        late = s.get("collections/c/map")
        assert late["stale"] and late["runs"] == m["runs"] and late["x"] == m["x"]
        s.send("DELETE", "runs/" + m["runs"][3], status=204)
        assert s.get("collections/c/map")["runs"] == m["runs"][:3] + m["runs"][4:]
        s.get("jobs/" + s.send("POST", "collections/c/map", {}, 202)["id"], wait=30)
        anew = s.get("collections/c/map")
        assert len(anew["runs"]) == n and not anew["stale"], anew["stale"]
