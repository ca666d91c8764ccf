"""One task in whole: what its runs answered, beside the target, under any id."""
import urllib.parse

from server import Server, jsonl


def run(i, task, answer, success=False):
    said = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": f"It is {answer}."}]
    return {"id": f"{task}-{i}", "task_id": task, "success": success, "transcripts": [{"messages": said}],
            "scores": [{"name": "match", "value": success, "answer": answer, "target": "Stone Brewing"}]}


def test_answers_of_a_task_stand_beside_the_target_under_any_id():
    names = ["plain", "a/b c,d", "what? 100 % of #1", "\u00fcn\u00ef"]
    with Server() as s:
        s.collection()
        s.upload(jsonl([r for task in names for r in (run(0, task, "Stone Brewing Co."), run(1, task, "Stone Brewing Co."), run(2, task, "Stone Brewing", True), run(3, task, "Anchor"))] + [run(0, "d", "x")]))
        for task in names:
            quoted = urllib.parse.quote(task, safe="")
            d = s.get("collections/c/tasks/" + quoted)
            assert d["task"]["task_id"] == task and d["task"]["runs"] == d["looked"] == 4, d
            assert [(g["text"], g["form"], g["runs"], g["passed"], len(g["members"])) for g in d["answers"]] == [
                ("Stone Brewing Co.", "dressed", 2, 0, 2), ("Stone Brewing", "same", 1, 1, 1), ("Anchor", "other", 1, 0, 1)], d["answers"]
            assert d["targets"] == [{"text": "Stone Brewing", "runs": 4}] and d["targets_more"] == d["answers_more"] == 0
            assert all(f["task_id"] == task for f in d["findings"])
            page = s.ask("GET", "/c/c/tasks/" + quoted)
            assert page.status == 200 and b"<html" in page.body, page.body[:100]
        s.ask("GET", "collections/c/tasks/nothing").problem(404)
        s.ask("GET", "collections/none/tasks/plain").problem(404)
