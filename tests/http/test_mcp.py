"""POST /mcp and `telltale mcp`: through the protocol's own SDK, and what no SDK would send."""
import json
import os
import subprocess

from server import PROGRAM, ROOT, Server, chat, jsonl, sample

JSON = {"Content-Type": "application/json"}


def call(method, id=1, **params):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def tool(name, id=1, **arguments):
    return call("tools/call", id, name=name, arguments=arguments)


def test_mcp_through_the_sdk():
    with Server("--sample") as s:
        done = subprocess.run(["node", os.path.join(ROOT, "tests/mcp/sdk.mjs"), PROGRAM, s.db, f"http://127.0.0.1:{s.port}"],
                              capture_output=True, timeout=120)
    assert done.returncode == 0 and b"19 tools over http and stdio" in done.stdout, (done.stdout + done.stderr).decode()[-3000:]


def test_mcp_over_http():
    s = sample()

    def post(body, status=200, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        a = s.ask("POST", "/mcp", body, JSON | {k.replace("_", "-"): v for k, v in headers.items()})
        assert a.status == status, (a.status, a.body[:300])
        return a.json() if a.body and status < 500 else None

    # no streams and no sessions: the SDK takes a 405 for that
    for method in ("GET", "DELETE"):
        a = s.ask(method, "/mcp", headers={"Accept": "text/event-stream"})
        assert (a.status, a.headers["allow"]) == (405, "POST"), a.headers
    assert "mcp-session-id" not in s.ask("POST", "/mcp", json.dumps(call("ping")).encode(), JSON).headers
    # what is not to be answered
    for quiet in ({"jsonrpc": "2.0", "method": "notifications/initialized"}, {"jsonrpc": "2.0", "id": 7, "result": {}},
                  [{"jsonrpc": "2.0", "method": "notifications/cancelled"}]):
        assert post(quiet, 202) is None
    # a batch, as the revision of March 2025 has it: each answered, in order
    got = post([call("ping", "a"), {"jsonrpc": "2.0", "method": "x"}, tool("list_collections", 2), call("nothing", 3)])
    assert [g["id"] for g in got] == ["a", 2, 3] and got[2]["error"]["code"] == -32601, got
    # errors of JSON-RPC
    for body, status, code in ((b"{", 400, -32700), (b"", 400, -32700), (b"[]", 400, -32600), (b"3", 200, -32600), (b'{"id":1,"method":"ping"}', 200, -32600),
                               ([call("ping")] * 21, 400, -32600), (call("tools/call", name="x"), 200, -32602),
                               (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[1]}', 200, -32602),
                               (call("tools/call", name="get_run", arguments=[1]), 200, -32602), (call("resources/list"), 200, -32601),
                               (b"[" * 5000, 400, -32700), (b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"' + b"y" * (1 << 20) + b'"}', 400, -32700)):
        error = post(body, status)["error"]
        assert error["code"] == code and error["message"], (body[:60], error)
    # the revision that was agreed on comes with every request; the gate is the same as everywhere
    assert post(call("ping"), MCP_Protocol_Version="2025-06-18") == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert "2025-11-25" in post(call("ping"), 400, MCP_Protocol_Version="2020-01-01")["error"]["message"]
    post(call("ping"), 403, Origin="http://evil.example")
    post(call("ping"), 421, Host="evil.example")
    post(call("ping"), 415, Content_Type="text/plain")
    # a bad argument of any kind is a result that says so, never a failure of the server
    for name, arguments in (("list_runs", {"collection": {}}), ("list_runs", {"collection": []}), ("list_runs", {"collection": "", "limit": {}}),
                            ("query", {"query": 3}), ("query", {"query": "SELECT 1", "params": 3}), ("query", {"query": "x" * 900000}), ("get_task", {"collection": "x"}),
                            ("search", {"q": "(", "regex": True}), ("search", {}), ("read_messages", {"run": "a", "from": -1}), ("label_run", {"run": "x", "set": "y"}),
                            ("label_run", {"run": "x", "set": "y", "value": 1}), ("tag_runs", {"tag": "x", "ids": [1]}), ("get_run", {"run": "\x00"}),
                            ("read_messages", {"run": "x", "max_bytes": 10}), ("list_runs", {"collection": "x", "meta": "y"})):
        got = post(tool(name, **arguments))["result"]
        assert got["isError"] and ": " in got["content"][0]["text"], (name, arguments, got)


def test_mcp_answers_are_bounded():
    """A message of megabytes, thousands of keys, values nested deeper than any reader goes: each is cut, and says so."""
    deep = json.loads("[" * 60 + "1" + "]" * 60)
    huge = [chat("wide", "x" * 3_000_000), chat("many", "short", metadata={f"key{i}": "v" * 50 for i in range(3000)}), chat("deep", "short", metadata={"deep": deep}),
            {"id": "long", "messages": [{"role": "user" if i % 2 else "assistant", "content": f"{i} " + "wörter " * 200} for i in range(1000)]}]
    with Server() as s:
        s.collection()
        s.upload(jsonl(huge))
        runs = {r["external_id"]: r["id"] for r in s.all("collections/c/runs")}

        def ask(name, **arguments):
            a = s.ask("POST", "/mcp", json.dumps(tool(name, **arguments)).encode(), JSON)
            result = a.json()["result"]
            assert not result["isError"] and json.loads(result["content"][0]["text"]) == result["structuredContent"], result
            return result["structuredContent"], len(result["content"][0]["text"])

        for name, run in runs.items():
            for what in ("get_run", "read_messages"):
                for most in (1000, 48000, 1000000):
                    _, size = ask(what, run=run, max_bytes=most)
                    assert size <= most + 20 * 1500 + 4096, (what, name, most, size)
        got, _ = ask("read_messages", run=runs["wide"])
        assert got["items"][0]["text"].endswith("of 3000000 bytes; more with max_bytes]"), got["items"][0]["text"][-80:]
        assert len(ask("read_messages", run=runs["wide"], max_bytes=1000000)[0]["items"][0]["text"]) > 400000
        # no item of a page is left out, so that the next page begins where this one ends
        at, seen = 0, []
        while at is not None:
            got, _ = ask("read_messages", run=runs["long"], **{"from": at, "limit": 200})
            seen += [m["index"] for m in got["items"]]
            at = got["next"]
        assert seen == list(range(1000))
        text, _ = ask("query", query="SELECT substr(text, 2999990, 100) FROM messages WHERE run = ? AND \"index\" = 0", params=[runs["wide"]])
        assert text["rows"] == [["x" * 11]], text


def test_mcp_on_stdio():
    """Lines that no client sends: each is answered, and the next one is read."""
    s = sample()
    lines = [b"", b"{", b"  ", b"x" * (3 << 20), json.dumps(call("ping", 1)).encode(), b'{"jsonrpc":"2.0","method":"notifications/x"}',
             json.dumps(tool("get_run", 2, run="x")).encode(), b"[" * 2000000, json.dumps(call("ping", 3)).encode()]
    done = subprocess.run([PROGRAM, "--db", s.db, "mcp"], input=b"\n".join(lines), capture_output=True, timeout=60)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and [a["id"] for a in answers] == [None, None, 1, 2, None, 3], (done.returncode, answers, done.stderr)
    assert answers[3]["result"]["isError"] and "1048576" in answers[1]["error"]["message"], answers
    nobody = subprocess.run([PROGRAM, "--db", "/nowhere/x.db", "mcp", "--read-only"], input=b"", capture_output=True, timeout=60)
    assert nobody.returncode == 3 and not nobody.stdout and b"/nowhere/x.db" in nobody.stderr, nobody
