"""Traces over OTLP/HTTP: in either encoding, late, repeated, and through kill -9."""
import gzip
import http.client
import json
import random
import struct
import threading
import time

from server import Server, jsonl, chat

JSON = {"Content-Type": "application/json"}
PROTO = {"Content-Type": "application/x-protobuf"}


# ---- protobuf, by hand ---------------------------------------------------------------------------------------------------------


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def part(number, value):
    """A field: bytes or text with its length, or a whole number."""
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value if isinstance(value, bytes) else varint(number << 3) + varint(value % (1 << 64))


def fixed(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def any_value(v):
    kind, value = next(iter(v.items()))
    if kind == "stringValue":
        return part(1, value)
    if kind == "boolValue":
        return part(2, int(value))
    if kind == "intValue":
        return part(3, int(value))
    if kind == "doubleValue":
        return varint(4 << 3 | 1) + struct.pack("<d", value)
    if kind == "arrayValue":
        return part(5, b"".join(part(1, any_value(x)) for x in value["values"]))
    return part(6, b"".join(part(1, key_value(x)) for x in value["values"]))


def key_value(kv):
    return part(1, kv["key"]) + part(2, any_value(kv["value"]))


def attributes(number, holder):
    return b"".join(part(number, key_value(kv)) for kv in holder.get("attributes", []))


def proto_span(s):
    out = part(1, bytes.fromhex(s["traceId"])) + part(2, bytes.fromhex(s["spanId"]))
    if "parentSpanId" in s:
        out += part(4, bytes.fromhex(s["parentSpanId"]))
    out += part(5, s["name"]) + part(6, s["kind"]) + fixed(7, int(s["startTimeUnixNano"])) + fixed(8, int(s["endTimeUnixNano"])) + attributes(9, s)
    for event in s.get("events", []):
        out += part(11, fixed(1, int(event["timeUnixNano"])) + part(2, event["name"]) + attributes(3, event))
    if "status" in s:
        out += part(15, (part(2, s["status"]["message"]) if "message" in s["status"] else b"") + part(3, s["status"]["code"]))
    return out


def proto(export):
    out = b""
    for r in export["resourceSpans"]:
        scopes = b"".join(part(2, part(1, part(1, x["scope"]["name"])) + b"".join(part(2, proto_span(s)) for s in x["spans"])) for x in r["scopeSpans"])
        out += part(1, part(1, attributes(1, r["resource"])) + scopes)
    return out


def fields(data):
    """{number: value} of a message with numbers and lengths only."""
    out, at = {}, 0

    def number():
        nonlocal at
        n, shift = 0, 0
        while True:
            c = data[at]
            at += 1
            n |= (c & 0x7F) << shift
            shift += 7
            if not c & 0x80:
                return n

    while at < len(data):
        tag = number()
        n = number()
        if tag & 7 == 2:
            n, at = data[at:at + n], at + n
        out[tag >> 3] = n
    return out


# ---- what an agent sends --------------------------------------------------------------------------------------------------------


def text(s):
    return {"stringValue": s}


def attrs(**values):
    out = []
    for key, v in values.items():
        kind = "boolValue" if isinstance(v, bool) else "intValue" if isinstance(v, int) else "doubleValue" if isinstance(v, float) else "stringValue"
        out.append({"key": key.replace("__", "."), "value": v if isinstance(v, dict) else {kind: str(v) if kind == "intValue" else v}})
    return out


def model_call(trace, span, at, said, answer, parent=None):
    """A model call in the GenAI conventions: what was said so far, and the answer."""
    sent = [{"role": role, "parts": [{"type": "text", "content": words}]} for role, words in said]
    got = [{"role": "assistant", "parts": [{"type": "text", "content": answer}], "finish_reason": "stop"}]
    start = 1_770_000_000_000_000_000 + at * 1_000_000_000
    return {"traceId": trace, "spanId": span, **({"parentSpanId": parent} if parent else {}), "name": "chat m-1", "kind": 3,
            "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 500_000_000),
            "attributes": attrs(gen_ai__operation__name="chat", gen_ai__request__model="m-1", gen_ai__usage__input_tokens=7, gen_ai__usage__output_tokens=3,
                                gen_ai__request__temperature=0.5, gen_ai__input__messages=json.dumps(sent), gen_ai__output__messages=json.dumps(got)),
            "status": {"code": 1, "message": "fine"}}


def root(trace, span, seconds=60):
    return {"traceId": trace, "spanId": span, "name": "invoke_agent helper", "kind": 1, "startTimeUnixNano": "1770000000000000000",
            "endTimeUnixNano": str(1_770_000_000_000_000_000 + seconds * 1_000_000_000),
            "attributes": attrs(gen_ai__operation__name="invoke_agent", gen_ai__agent__name="helper", deep={"kvlistValue": {"values": attrs(list={"arrayValue": {"values": [text("x"), {"boolValue": True}]}})}})}


def export(*spans, **resource):
    return {"resourceSpans": [{"resource": {"attributes": attrs(**resource)}, "scopeSpans": [{"scope": {"name": "test"}, "spans": list(spans)}]}]}


def trace_id(n):
    return f"{n + 1:032x}"


def conversation(n, turns=3):
    """A trace of some model calls, each with all that was said before."""
    trace, said, spans = trace_id(n), [("user", f"question {n}")], [root(trace_id(n), "00000000000000ff")]
    for i in range(turns):
        spans.append(model_call(trace, f"{i + 1:016x}", i, said, f"answer {n}.{i}", "00000000000000ff"))
        said = said + [("assistant", f"answer {n}.{i}"), ("user", f"more {n}.{i}")]
    return spans


def send(s, body, headers=JSON, path="/v1/traces", status=200):
    a = s.ask("POST", path, body, headers)
    assert a.status == status, (a.status, a.body[:300])
    return a


def settle(s, most=60):
    """Until nothing is left to build."""
    until = time.monotonic() + most
    while time.monotonic() < until:
        jobs = s.all("jobs", limit=1000)
        if not any(j["state"] in ("queued", "running") for j in jobs):
            assert all(j["state"] == "done" for j in jobs), [j for j in jobs if j["state"] != "done"]
            return jobs
        time.sleep(0.1)
    raise AssertionError("the jobs do not end")


def said(s, run):
    return [(m["role"], m["text"]) for m in s.get(f"runs/{run}/messages", limit=500)["items"]]


# ---- the door -------------------------------------------------------------------------------------------------------------------


def test_both_encodings_give_the_same_run():
    with Server() as s:
        spans = conversation(1)
        send(s, export(*spans, service__name="as-json"), JSON)
        a = send(s, proto(export(*spans, service__name="as-proto")), PROTO)
        assert a.body == b"" and a.headers["content-type"] == "application/x-protobuf"
        send(s, gzip.compress(proto(export(*spans, service__name="as-gzip"))), {**PROTO, "Content-Encoding": "gzip"})
        c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=20)
        body = json.dumps(export(*spans, service__name="as-chunks")).encode()
        c.request("POST", "/v1/traces", (body[i:i + 100] for i in range(0, len(body), 100)), {**JSON, "Transfer-Encoding": "chunked"}, encode_chunked=True)
        assert c.getresponse().read() == b"{}"
        c.close()
        settle(s)
        seen = []
        for name in ("as-json", "as-proto", "as-gzip", "as-chunks"):
            run, = s.get(f"collections/{name}/runs")["items"]
            assert run["external_id"] == trace_id(1) and run["source"]["format"] == "otlp" and run["model"] == "m-1", run
            messages = s.get(f"runs/{run['id']}/messages")["items"]
            detail = s.get(f"runs/{run['id']}")
            seen.append((messages, json.dumps(detail["metadata"], sort_keys=True).replace(name, ""), detail["started_at"], detail["ended_at"]))
        for other in seen[1:]:
            assert other == seen[0], (other, seen[0])
        assert [m["text"] for m in seen[0][0]] == ["question 1", "answer 1.0", "more 1.0", "answer 1.1", "more 1.1", "answer 1.2"], seen[0][0]


def test_late_and_repeated_spans_find_their_trace():
    with Server() as s:
        spans = conversation(1, 4)
        send(s, export(spans[2], service__name="c")) # the second turn, before its root and the first
        settle(s)
        before, = s.get("collections/c/runs")["items"]
        assert said(s, before["id"])[-1] == ("assistant", "answer 1.1")
        s.send("POST", "runs/tags", {"tag": "seen", "ids": [before["id"]]})
        send(s, export(spans[4], spans[0], service__name="c"))
        send(s, export(spans[1], spans[3], service__name="c"))
        settle(s)
        run, = s.get("collections/c/runs")["items"]
        assert run["id"] == before["id"] and run["tags"] == ["seen"] and run["agent"] == "helper"
        whole = said(s, run["id"])
        assert [words for _, words in whole] == ["question 1", "answer 1.0", "more 1.0", "answer 1.1", "more 1.1", "answer 1.2", "more 1.2", "answer 1.3"], whole
        for again in (spans, [spans[3]]):
            send(s, export(*again, service__name="c"))
            settle(s)
            assert said(s, run["id"]) == whole and s.get("collections/c")["runs"] == 1
        # A span that was sent before it had ended gives way to the one that has, whichever comes last.
        for ended in (False, True, False):
            span = model_call(trace_id(1), "00000000000000aa", 9, [("user", "last")], "the end" if ended else "not yet")
            if not ended:
                span["endTimeUnixNano"] = "0"
            send(s, export(span, service__name="c"))
        settle(s)
        words = [m["text"] for t in range(len(s.get(f"runs/{run['id']}")["transcripts"])) for m in s.get(f"runs/{run['id']}/messages", transcript=t)["items"]]
        assert "the end" in words and "not yet" not in words, words


def test_the_collection_is_named_by_path_header_resource_or_service():
    with Server() as s:
        existing = s.collection("there")["id"]
        span = lambda n: model_call(trace_id(n), "00000000000000aa", 0, [("user", f"q{n}")], "a")
        send(s, export(span(1)))
        send(s, export(span(2), service__name="svc"))
        send(s, export(span(3), service__name="svc", telltale__collection="told"))
        send(s, export(span(4), service__name="svc", telltale__collection="told"), {**JSON, "X-Telltale-Collection": "header"})
        send(s, export(span(5), service__name="svc"), {**JSON, "X-Telltale-Collection": "header"}, "/api/v1/collections/path/otlp/v1/traces")
        send(s, export(span(6), service__name="svc"), path=f"/api/v1/collections/{existing}/otlp/v1/traces")
        send(s, export(span(7), service__name="a\nb" + "x" * 300))
        both = export(span(8), service__name="one")
        both["resourceSpans"] += export(span(8), span(9), service__name="two")["resourceSpans"]
        send(s, both)
        settle(s)
        runs = {c["name"]: sorted(int(r["external_id"], 16) - 1 for r in s.get(f"collections/{c['id']}/runs")["items"]) for c in s.all("collections")}
        assert runs == {"traces": [1], "svc": [2], "told": [3], "header": [4], "path": [5], "there": [6], "a_b" + "x" * 197: [7], "one": [8], "two": [8, 9]}, runs


def test_bad_spans_are_counted_and_the_others_kept():
    with Server() as s:
        good = model_call(trace_id(1), "00000000000000aa", 0, [("user", "q")], "a")
        bad = [dict(good, traceId="0" * 32), dict(good, spanId="xyz"), dict(good, traceId="12")]
        got = send(s, export(good, *bad, service__name="c")).json()
        assert got["partialSuccess"]["rejectedSpans"] == "3" and "traceId" in got["partialSuccess"]["errorMessage"], got
        odd = [dict(good, traceId="00" * 16), dict(good, spanId="")]
        partial = fields(fields(send(s, proto(export(good, *odd, service__name="c")), PROTO).body)[1])
        assert partial[1] == 2 and b"traceId" in partial[2], partial
        for empty in ({}, {"resourceSpans": []}, export()):
            assert send(s, empty).json() == {}
        assert send(s, b"", PROTO).body == b""
        settle(s)
        assert s.get("collections/c")["runs"] == 1


def test_errors_are_told_in_the_encoding_of_the_request():
    with Server() as s:
        for body in (b"{", b"[]", b'{"x": 1}', b'{"resourceSpans": 7}', b""):
            a = send(s, body, JSON, status=400)
            assert a.headers["content-type"] == "application/json" and a.json()["code"] == 3 and a.json()["message"], a.body
        for body in (b"\x0a", b"\x0a\x05abc", b"\x0b\x0c", b"\xff" * 20, part(1, part(2, part(2, b"\x80" * 12)))):
            a = send(s, body, PROTO, status=400)
            assert a.headers["content-type"] == "application/x-protobuf" and fields(a.body)[1] == 3 and fields(a.body)[2], a.body
        deep = text("x")
        for _ in range(200):
            deep = {"arrayValue": {"values": [deep]}}
        send(s, proto(export(dict(root(trace_id(1), "00000000000000aa"), attributes=[{"key": "k", "value": deep}]))), PROTO, status=400)
        assert fields(send(s, b"\0" * (33 << 20), PROTO, status=413).body)[1] == 8
        assert send(s, gzip.compress(b" " * (33 << 20)), {**JSON, "Content-Encoding": "gzip"}, status=413).json()["code"] == 8
        assert send(s, b"not packed", {**JSON, "Content-Encoding": "gzip"}, status=400).json()["code"] == 3
        for headers in ({}, {"Content-Type": "text/plain"}, {**JSON, "Content-Encoding": "br"}):
            assert send(s, b"{}", headers, status=415).json()["code"] == 3
        assert s.ask("GET", "/v1/traces").status == 405 and s.get("collections")["items"] == []


def test_random_bytes_as_protobuf_end_in_an_answer():
    dice = random.Random(3)
    whole = proto(export(*conversation(1), service__name="c"))
    with Server() as s:
        for _ in range(300):
            body = bytearray(whole)
            for _ in range(dice.randint(1, 8)):
                body[dice.randrange(len(body))] = dice.randrange(256)
            assert s.ask("POST", "/v1/traces", bytes(body[:dice.randint(1, len(body))]), PROTO).status in (200, 400)
        send(s, whole, PROTO)
        settle(s)
        assert trace_id(1) in {r["external_id"] for c in s.all("collections") for r in s.all(f"collections/{c['id']}/runs")}


def test_events_that_come_as_log_records_join_their_span():
    span = model_call(trace_id(1), "00000000000000aa", 0, [], "")
    span["attributes"] = attrs(gen_ai__operation__name="chat", gen_ai__request__model="m-1")
    record = lambda name, **body: {"timeUnixNano": "1770000000000000001", "traceId": trace_id(1), "spanId": "00000000000000aa", "severityNumber": 9, "eventName": name,
                                   "attributes": attrs(gen_ai__system="x"), "body": {"kvlistValue": {"values": attrs(**body)}}}
    records = [record("gen_ai.user.message", content="by log"),
               record("gen_ai.choice", index=0, finish_reason="stop", message={"kvlistValue": {"values": attrs(role="assistant", content="answered")}})]
    plain = {"timeUnixNano": "1", "body": text("just a line")}

    def logs(name, *items):
        return {"resourceLogs": [{"resource": {"attributes": attrs(service__name=name)}, "scopeLogs": [{"scope": {"name": "t"}, "logRecords": list(items)}]}]}

    def proto_logs(name, *items):
        rows = b"".join(part(2, fixed(1, int(r["timeUnixNano"])) + part(2, 9) + part(5, any_value(r["body"])) + attributes(6, r) + part(9, bytes.fromhex(r["traceId"])) +
                             part(10, bytes.fromhex(r["spanId"])) + part(12, r["eventName"])) for r in items)
        return part(1, part(1, attributes(1, {"attributes": attrs(service__name=name)})) + part(2, part(1, part(1, "t")) + rows))

    with Server() as s:
        for _ in range(2): # sent again, they are the same
            got = send(s, logs("j", *records, plain), path="/v1/logs").json()["partialSuccess"]
            assert got["rejectedLogRecords"] == "1" and "events" in got["errorMessage"], got
        send(s, export(span, service__name="j"))
        send(s, export(span, service__name="p"))
        assert send(s, proto_logs("p", *records), PROTO, "/v1/logs").body == b""
        assert send(s, logs("x", *records), path="/api/v1/collections/q/otlp/v1/logs").json() == {}
        settle(s)
        for name in "jp":
            run, = s.get(f"collections/{name}/runs")["items"]
            assert said(s, run["id"]) == [("user", "by log"), ("assistant", "answered")], said(s, run["id"])


def test_a_busy_trace_is_not_read_for_each_batch():
    with Server() as s:
        spans = conversation(1, 40)
        for span in spans:
            send(s, export(span, service__name="c"))
        settle(s)
        run, = s.get("collections/c/runs")["items"]
        assert run["messages"] == 80
        done = next(int(line.split()[-1]) for line in s.ask("GET", "/metrics").body.decode().splitlines() if line.startswith('telltale_jobs_ended_total{kind="build",state="done"}'))
        assert 1 <= done <= 6, done


def test_what_is_deleted_stays_deleted():
    with Server() as s:
        spans = conversation(1)
        send(s, export(*spans, service__name="c"))
        settle(s)
        run, = s.get("collections/c/runs")["items"]
        s.send("DELETE", f"runs/{run['id']}", status=204)
        late = model_call(trace_id(1), "00000000000000aa", 9, [("user", "late")], "a")
        send(s, export(late, service__name="c"))
        settle(s)
        run, = s.get("collections/c/runs")["items"]
        assert [words for _, words in said(s, run["id"])] == ["late", "a"]
        s.ask("POST", f"runs/{run['id']}/messages", {"role": "user", "content": "x"}).problem(409, "spans")
        s.send("DELETE", "collections/c", status=204)
        assert s.get("collections")["items"] == []


# ---- kill -9 --------------------------------------------------------------------------------------------------------------------


def test_acknowledged_spans_and_messages_survive_kill_9():
    dice = random.Random(4)
    spans, messages = set(), set()
    with Server() as s:
        s.collection("going")
        s.upload(jsonl([chat("1", "hello")]), collection="going")
        run = s.get("collections/going/runs")["items"][0]["id"]
        for round in range(4):

            def client(k):
                for i in range(1000):
                    try:
                        span = model_call(trace_id(k), f"{round * 1000 + i + 1:016x}", round * 1000 + i, [("user", f"q {k} {round} {i}")], "a")
                        if s.ask("POST", "/v1/traces", export(span, service__name="c"), JSON, timeout=20).status == 200:
                            spans.add((trace_id(k), f"q {k} {round} {i}"))
                        words = f"m {k} {round} {i}"
                        if s.ask("POST", f"runs/{run}/messages", {"role": "user", "content": words}, {"Idempotency-Key": words}, timeout=20).status == 200:
                            messages.add(words)
                    except (OSError, http.client.HTTPException):
                        return

            threads = [threading.Thread(target=client, args=(k,)) for k in range(4)]
            [t.start() for t in threads]
            time.sleep(dice.uniform(0.5, 2.5)) # also in the middle of a build
            s.kill()
            [t.join() for t in threads]
            s.start()
        settle(s)
        stored = set()
        for r in s.all("collections/c/runs"):
            for t in s.get(f"runs/{r['id']}")["transcripts"]:
                at = 0
                while at is not None:
                    page = s.get(f"runs/{r['id']}/messages", transcript=t["position"], limit=500, **{"from": at})
                    stored |= {(r["external_id"], m["text"]) for m in page["items"]}
                    at = page["next"]
        assert len(spans) > 20 and spans <= stored, sorted(spans - stored)[:5]
        got, at = [], 0
        while at is not None:
            page = s.get(f"runs/{run}/messages", limit=500, **{"from": at})
            got += [m["text"] for m in page["items"]]
            at = page["next"]
        assert len(messages) > 20 and messages <= set(got) and len(got) == len(set(got)), (sorted(messages - set(got))[:5], len(got), len(set(got)))
        assert s.ask("GET", "/readyz").status == 200
