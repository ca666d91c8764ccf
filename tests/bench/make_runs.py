#!/usr/bin/env python3
"""Collections of a size that no corpus has, in the native format; the same arguments give the same bytes.

usage: make_runs.py many N FILE        N small runs of 5 models on N / 125 tasks, with tokens, cost, times, scores and metadata
       make_runs.py long FOLDER        a run of 127 MB and 20,000 messages, one of 2,000, and one with messages of 10 MB
"""
import datetime
import json
import os
import random
import sys

MODELS = {"falcon-9b": .35, "heron-70b": .8, "kestrel-mini": .55, "osprey-xl": .7, "wren-3b": .25}
TOOLS = ["bash", "read_file", "edit", "search", "submit"]
WORDS = ("open the archive list files parse config retry network timeout value error missing module path test build compile assert expected "
         "actual result done verify check install package user order refund flight booking cancel lookup search page submit answer").split()
START = datetime.datetime(2026, 1, 5)


def words(rng, n):
    return " ".join(rng.choices(WORDS, k=n))


def call(i, tool, **arguments):
    return {"id": f"c{i}", "function": tool, "arguments": arguments}


def small_run(rng, i, tasks):
    model, task, attempt = list(MODELS)[i % 5], i // 25 % tasks, i // 5 % 5
    passed = rng.random() < MODELS[model] * (0.4 + task * 37 % 100 / 100)
    began = START + datetime.timedelta(seconds=20 * i)
    messages = [{"role": "user", "content": f"Task {task}: {words(rng, 20)}"}]
    for k in range(rng.randint(1, 5)):
        tool, luck, result = rng.choice(TOOLS), rng.random(), words(rng, 15)
        if luck < .03:
            result = "bash: xxd: command not found"
        elif luck < .06:
            result = f"Traceback (most recent call last):\n  File \"a.py\", line {k}, in <module>\nAttributeError: 'NoneType' object has no attribute 'x'"
        messages += [
            {"role": "assistant", "content": words(rng, 12), "tool_calls": [call(k, tool, cmd=words(rng, 4), n=k)],
             "timestamp": (began + datetime.timedelta(seconds=3 * k)).isoformat() + "Z",
             "usage": {"input_tokens": rng.randint(100, 2000), "output_tokens": rng.randint(10, 300)}},
            {"role": "tool", "tool_call_id": f"c{k}", "function": tool, "content": result}]
    messages.append({"role": "assistant", "content": "The answer is " + rng.choice(WORDS)})
    return {"id": f"run-{i}", "task_id": f"task-{task:04d}", "model": model, "agent": f"scaffold-{i % 2 + 1}", "attempt": attempt, "success": passed,
            "started_at": began.isoformat() + "Z", "ended_at": (began + datetime.timedelta(seconds=rng.randint(5, 900))).isoformat() + "Z",
            "cost_usd": round(rng.random() * .4, 4), "exit_status": rng.choice(["submitted", "submitted", "limit", "error"]),
            "scores": [{"name": "reward", "value": round(rng.random(), 3)}, {"name": "correct", "value": passed}],
            "metadata": {"difficulty": rng.choice(["easy", "medium", "hard"]), "seed": i % 17, "dataset": {"split": rng.choice(["dev", "test"])}},
            "tags": [rng.choice(["nightly", "ci"])], "transcripts": [{"id": "main", "messages": messages}]}


def make_many(n, path):
    rng = random.Random(7)
    with open(path, "w") as out:
        for i in range(n):
            out.write(json.dumps(small_run(rng, i, max(1, n // 125))) + "\n")


def make_long(folder):
    rng = random.Random(3)
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(4000)]

    def text(size):
        lines, length = [], 0
        while length < size:
            lines.append(" ".join(rng.choices(vocabulary, k=12)))
            length += len(lines[-1]) + 1
        return "\n".join(lines)

    def write(name, messages):
        with open(os.path.join(folder, name + ".json"), "w") as out:
            json.dump({"id": name, "task_id": name, "model": "heron-70b", "success": False, "transcripts": [{"id": "main", "messages": messages}]}, out)

    def steps(n, said, result):
        messages = [{"role": "user", "content": "Mend the failing tests of the repository."}]
        for i in range(n):
            missing = "\nbash: xxd: command not found\n" if i % 40 == 0 else ""
            messages += [{"role": "assistant", "content": text(said), "tool_calls": [call(i, "bash", cmd=f"sed -n {i},{i + 40}p src/f{i % 90}.py")]},
                         {"role": "tool", "tool_call_id": f"c{i}", "function": "bash", "content": text(result) + missing}]
        return messages

    write("long", [{"role": "system", "content": "You are an agent in a shell."}] + steps(9999, 400, 12150))
    write("middle", steps(999, 200, 1500) + [{"role": "assistant", "content": "Done."}])
    write("wide", [{"role": "user", "content": "Print the log."},
                   {"role": "assistant", "content": "", "tool_calls": [call(0, "bash", cmd="cat log")]},
                   {"role": "tool", "tool_call_id": "c0", "function": "bash", "content": text(10 << 20)},
                   {"role": "assistant", "content": "x" * (10 << 20)},  # one line
                   {"role": "assistant", "content": "Done."}])


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "many":
        make_many(int(sys.argv[2]), sys.argv[3])
    elif len(sys.argv) == 3 and sys.argv[1] == "long":
        make_long(sys.argv[2])
    else:
        sys.exit(__doc__)


main()
