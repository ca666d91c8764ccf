"""Secrets that stand in transcripts: with --redact none of them is anywhere, whatever way they came in."""
import base64
import ctypes
import ctypes.util
import fcntl
import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import tempfile
import time

from server import PROGRAM, ROOT, Server, chat, jsonl
from test_docent import Client
from test_judges import Judging, RUBRIC, judged
from test_langfuse import event, ingest
from test_otlp import PROTO, export, model_call, proto, root, send, settle, trace_id

HEX = "7b2e94d1c6f8a0537b2e94d1c6f8a0537b2e94d1c6f8a0537b2e94d1c6f8a053"
MIX = "q7Kr2Xm9Dw4Hj8TbLs6Vn3PcYf5Zg1AeBu7Kr2Xm9Dw4Hj8TbLs6Vn3PcYf5Zg1AeBu9Qz8Rt4" * 3
UP = "7QK2XM9D4RWH8JTB3LNV5CPY7QK2XM9D4RWH8JTB3LNV5CPY7QK2XM9D4RWH8JTB"
LETTERS = "qKrXmDwHjTbLsVnPqKrXmDwHjTbLsVnPqKrXmDwHj"
# A secret of each kind, where it stands, and what of it must be nowhere. Made up: no maker knows them.
PLANTED = {
    "aws-key": ("AWS_ACCESS_KEY_ID={}", "AKIA" + UP[:16]), "github-token": ("remote: {}", "ghp_" + MIX[:36]), "gitlab-token": ("{}", "glpat-" + MIX[:20]),
    "anthropic-key": ("x-api-key: {}", "sk-ant-api03-" + MIX[:93]), "openrouter-key": ("{}", "sk-or-v1-" + HEX),
    "langfuse-key": ("{}", "sk-lf-7b2e94d1-c6f8-a053-7b2e-94d1c6f8a053"), "openai-key": ("OPENAI={}", "sk-proj-" + MIX[:120]),
    "stripe-key": ("{}", "sk_" + "live_" + MIX[:24]), "slack-token": ("{}", "xoxb-729461835012-7294618350123-" + MIX[:24]),
    "slack-webhook": ("https://hooks.slack.com/services/{}", f"T{UP[:10]}/B{UP[5:15]}/{MIX[:24]}"), "google-key": ("key={}", "AIza" + MIX[:35]),
    "google-oauth": ("{}", "GOCSPX-" + MIX[:28]), "sendgrid-key": ("{}", f"SG.{MIX[:22]}.{MIX[22:65]}"), "npm-token": ("{}", "npm_" + MIX[:36]),
    "pypi-token": ("{}", "pypi-AgEIcHlwaS5vcmc" + MIX[:80]), "huggingface-token": ("{}", "hf_" + LETTERS[:34]), "groq-key": ("{}", "gsk_" + MIX[:52]),
    "xai-key": ("{}", "xai-" + MIX[:80]), "nvidia-key": ("{}", "nvapi-" + MIX[:64]), "langsmith-key": ("{}", f"lsv2_pt_{HEX[:32]}_{HEX[:10]}"),
    "digitalocean-token": ("{}", "dop_v1_" + HEX), "databricks-token": ("{}", "dapi" + HEX[:32]), "shopify-token": ("{}", "shpat_" + HEX[:32]),
    "docker-token": ("{}", "dckr_pat_" + MIX[:27]), "vault-token": ("{}", "hvs." + MIX[:90]), "tailscale-key": ("{}", f"tskey-auth-{MIX[:12]}-{MIX[:32]}"),
    "telltale-token": ("{}", "tt_abcdefghij23_" + MIX[:43]), "age-key": ("{}", "AGE-SECRET-KEY-1" + UP[:58]),
    "azure-key": ("AccountKey={};EndpointSuffix=x", MIX[:86] + "=="),
    "private-key": ("{}", f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{MIX[:60]}\n{MIX[10:74]}\n{MIX[:30]}==\n-----END RSA PRIVATE KEY-----"),
    "database-password": ("postgres://shop:{}@pg.shop.internal/main", "k9Lm2qTzWx"), "url-password": ("https://deploy:{}@git.shop.internal/a.git", "vR7tQp2LxY9m"),
    "jwt": ("{}", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi" + MIX[:30] + "." + MIX[:43]), "bearer-token": ("Authorization: Bearer {}", "Zp" + MIX[20:60]),
    "assigned-secret": ("aws_secret_access_key = {}", "Wy" + MIX[31:69]), "assigned-password": ("DB_PASSWORD={}", "hT4#mQ9zLw2x"),
}
# What must not be found: of the private key each of its lines.
NOWHERE = sorted({line for _, secret in PLANTED.values() for line in secret.split("\n") if not line.startswith("-----")})
SAYS = [form.format(secret) for form, secret in PLANTED.values()]
ALL = "\n".join(SAYS)
CARD = "EMP-482913"


def forms():
    with open(os.path.join(ROOT, "server/text/secrets.c")) as f:
        return set(re.findall(r'^    \{"([a-z-]+)",', f.read(), re.M))


# ---- where secrets could be -------------------------------------------------------------------------------------------------

zstd = ctypes.CDLL(ctypes.util.find_library("zstd"))
zstd.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
zstd.ZSTD_findFrameCompressedSize.restype = ctypes.c_size_t
zstd.ZSTD_decompress.restype = ctypes.c_size_t


def unpacked(data):
    """Every zstd frame in a value."""
    at = -1
    while (at := data.find(b"\x28\xb5\x2f\xfd", at + 1)) >= 0:
        frame = data[at:]
        size = zstd.ZSTD_getFrameContentSize(frame, ctypes.c_size_t(len(frame)))
        used = zstd.ZSTD_findFrameCompressedSize(frame, ctypes.c_size_t(len(frame)))
        if size > 1 << 30 or used > len(frame):
            continue
        room = ctypes.create_string_buffer(size + 1)
        if zstd.ZSTD_decompress(room, ctypes.c_size_t(size), frame, ctypes.c_size_t(used)) == size:
            yield room.raw[:size]


def values_of(db):
    """Everything that the tables hold, unpacked."""
    con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    con.text_factory = bytes
    packed = 0
    for table, in con.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'").fetchall():
        for row in con.execute(f'SELECT * FROM "{table.decode()}"'):
            for value in row:
                if isinstance(value, bytes):
                    yield f"table {table.decode()}", value
                    for text in unpacked(value):
                        packed += 1
                        yield f"table {table.decode()}, packed", text
    con.close()
    assert packed, "nothing was packed: this looks in the wrong places"


def places_of(s):
    """(where, bytes) of everything that is kept or told."""
    for folder, _, names in os.walk(s.path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                yield name, f.read()
    yield from values_of(s.db)
    for c in s.get("collections")["items"]:
        for form in ("native", "csv"):
            yield f"export {form}", s.ask("GET", f"collections/{c['id']}/export?as={form}").body
        for run in s.all(f"collections/{c['id']}/runs"):
            for path in (f"runs/{run['id']}", f"runs/{run['id']}/messages?limit=500"):
                yield path, s.ask("GET", path).body
        yield "findings", s.ask("GET", f"collections/{c['id']}/findings?limit=500").body
        yield "html", subprocess.run([PROGRAM, "--db", s.db, "export", "-c", c["id"], "--as", "html"], capture_output=True, timeout=60).stdout
    yield "jobs", s.ask("GET", "jobs?limit=500").body


def seen(s):
    return seen_in(s, [*NOWHERE, CARD])


def seen_in(s, secrets):
    """{secret: where} of those that stand somewhere, as they are or escaped in JSON."""
    forms = {secret: {secret.encode(), json.dumps(secret)[1:-1].encode(), secret.replace("/", "\\/").encode()} for secret in secrets}
    out = {}
    for where, data in places_of(s):
        for secret, ways in forms.items():
            if any(way in data for way in ways):
                out.setdefault(secret, set()).add(where)
    return out


# ---- how they come in -------------------------------------------------------------------------------------------------------


def plant(s):
    call = {"id": "1", "type": "function", "function": {"name": "bash", "arguments": json.dumps({"command": ALL, "env": {"password": "hT4#mQ9zLw2x"}})}}
    s.upload(jsonl([{"id": f"r{i}", "metadata": {"note": says, says: 1}, "error": says, "name": says, "task_id": f"t{i}",
                     "messages": [{"role": "user", "content": says}, {"role": "assistant", "content": "done", "tool_calls": [call], "reasoning": says},
                                  {"role": "tool", "tool_call_id": "1", "name": "bash", "content": says, "error": says}],
                     "scores": [{"name": "s", "value": 0, "answer": says, "explanation": says}]} for i, says in enumerate([*SAYS, ALL, f"my card is {CARD}"])]),
             filename=f"{PLANTED['aws-key'][1]}.jsonl")
    # Escapes, text in text, and a record that is refused.
    s.upload(json.dumps(chat("escaped", ALL)).replace("AKIA", "\\u0041KIA").replace("/", "\\/"), filename="e.jsonl")
    s.upload(json.dumps(chat("twice", json.dumps({"a": json.dumps({"b": ALL})}))), filename="t.jsonl")
    s.upload('{"role": "user", "content": "x"}\n{"role": "' + PLANTED["github-token"][1] + '", "content": "\\ud800 ' + PLANTED["openai-key"][1] + '"}\n', filename="bad.jsonl")
    s.upload(json.dumps({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": SAYS[0]}},
             {"type": "image_url", "image_url": {"url": "data:text/plain;base64," + base64.b64encode(ALL.encode()).decode()}}]}]}), filename="i.json")
    # Traces, in pieces.
    t = trace_id(1)
    body = export(root(t, "00000000000000ff"), model_call(t, "1" * 16, 1, [("user", ALL)], ALL, "00000000000000ff"), service__name="c", note=ALL)
    send(s, body)
    send(s, proto(export(root(trace_id(2), "00000000000000fe"), model_call(trace_id(2), "2" * 16, 1, [("user", ALL)], ALL), service__name="c", note=ALL)), PROTO)
    ingest(s, event("a", "trace-create", 1, id="lf", name=ALL, metadata={"k": ALL}), event("b", "generation-create", 2, id="g", traceId="lf", input=[{"role": "user", "content": ALL}], output=ALL))
    Client(s).add_agent_runs(s.get("collections")["items"][0]["id"], [{"transcripts": [{"messages": [{"role": "user", "content": ALL}]}], "metadata": {"note": ALL}}])
    # A run that grows.
    run = s.all("collections/c/runs")[0]["id"]
    s.send("POST", f"runs/{run}/messages", {"messages": [{"role": "user", "content": ALL, "extra": ALL}], "error": ALL, "scores": {"x": ALL}})
    settle(s)


def test_every_kind_is_planted():
    assert forms() == set(PLANTED), forms() ^ set(PLANTED)


def test_without_redaction_they_are_found():
    """What the next test looks with finds them where nothing is redacted."""
    with Server() as s:
        s.collection()
        plant(s)
        missed = set(NOWHERE) - set(seen(s))
        assert not missed, missed
        where = set().union(*seen(s).values())
        for place in ("table piece, packed", "export native", "html", "findings", "jobs"):
            assert place in where, (place, where)


def test_redacted_before_anything_is_kept():
    with Judging(plan={"keep_bodies": True}, more="") as (s, model):
        s.stop()
        with open(s.options[1], "a") as f:
            f.write("redact: { staff-card: 'EMP-[0-9]{6}' }\n")
        s.start()
        s.collection()
        plant(s)
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        judged(s)
        asked = json.dumps(model.books())
        assert "[redacted:" in asked, asked[:2000]
        told = [x for x in NOWHERE if x in asked or json.dumps(x)[1:-1] in asked]
        assert not told, (told, asked[asked.find(told[0]) - 300:][:500])
        found = seen(s)
        assert not found, found
        text = b"".join(data for where, data in places_of(s) if where == "export native").decode()
        for kind in [*PLANTED, "staff-card"]:
            assert f"[redacted:{kind}]" in text, kind
        # The finding is still there, and shows the marker.
        exposed = [f for f in s.all("collections/c/findings") if f["detector"] == "secret-exposure"]
        assert len(exposed) > len(PLANTED) / 2 and all("[redacted:" in e["quote"] for f in exposed for e in f["evidence"][:1]), exposed[:2]
        # Again changes nothing.
        before = s.get("collections/c")
        again = s.upload(jsonl([{"id": "again", "messages": [{"role": "user", "content": ALL}, {"role": "assistant", "content": "done"}]}]), filename="again.jsonl")
        once = s.upload(jsonl([{"id": "again", "messages": [{"role": "user", "content": ALL}, {"role": "assistant", "content": "done"}]}]) + " ", filename="again.jsonl", replace=1)
        assert (again["result"]["runs"]["new"], once["result"]["runs"]["new"], once["result"]["runs"]["updated"], once["result"]["runs"]["duplicate"]) == (1, 0, 0, 1), once
        assert again["result"]["redacted"] >= len(PLANTED) and before["runs"] + 1 == s.get("collections/c")["runs"]
        # Nor does what was exported, when it comes back.
        native = s.ask("GET", "collections/c/export?as=native").body
        with Server("--redact") as other:
            other.collection()
            report = other.upload(native)["result"]
            assert report["redacted"] == 0 and report["rejected" if "rejected" in report else "runs"], report
        # What is kept for a while is for nobody else to read.
        assert not s.spool()


def told(s, *command, code=0):
    ran = subprocess.run([PROGRAM, "--db", s.db, *command], capture_output=True, timeout=120, text=True)
    assert ran.returncode == code, (command, ran)
    return ran.stdout


def bytes_of(s):
    return {name: open(os.path.join(folder, name), "rb").read() for folder, _, names in os.walk(s.path) for name in names}


def rows(db, sql):
    con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    out = con.execute(sql).fetchall()
    con.close()
    return out


def test_redacted_in_place():
    """What was stored before: beside a running server, and what people said of it stays."""
    with Judging(plan={"keep_bodies": True}, more="") as (s, model):
        s.collection()
        plant(s)
        s.send("POST", "rubrics", {"text": RUBRIC}, 201)
        judged(s)
        # Another collection says some of the same, and uses texts of the same blocks.
        s.collection("d")
        s.upload(jsonl([chat("kept", "nothing to hide " * 20), chat("other", ALL)]), filename="d.jsonl", collection="d")
        exposed = [f for f in s.all("collections/c/findings") if f["detector"] == "secret-exposure"]
        confirmed, run = exposed[0]["id"], exposed[0]["run"]["id"]
        s.send("PATCH", f"findings/{confirmed}", {"status": "confirmed", "note": "seen: " + SAYS[0]})
        s.send("POST", "labels", {"set": "l", "run": run, "value": {"why": SAYS[1]}})
        told(s, "tag", "-c", "c", "by hand")
        told(s, "tag", "-c", "c", SAYS[2])
        s.send("POST", "queries", {"name": "q " + SAYS[3], "text": f"SELECT '{SAYS[4]}'"}, 201)
        ids = {r["id"] for r in s.all("collections/c/runs")}
        findings = {f["id"] for f in s.all("collections/c/findings")}
        kept = "SELECT count(*), sum(state), sum(j.content_hash = r.content_hash) FROM judgment j JOIN run r ON r.n = j.run"
        judgments = rows(s.db, kept)
        # An upload that failed, and waits for another try.
        failed = "11111111-1111-8111-8111-111111111111"
        with sqlite3.connect(s.db) as con:
            con.execute("INSERT INTO job (id, kind, collection, state, created_at, payload) SELECT ?, 'import', id, 3, '2026-01-01T00:00:00Z', '{}' FROM collection WHERE name = 'c'",
                        [failed])
        con.close()
        with open(os.path.join(s.db + ".spool", failed), "w") as f:
            f.write(ALL)
        before = bytes_of(s)
        dry = json.loads(told(s, "redact", "-c", "c", "--dry-run", "--json"))
        assert dry["changed"] > len(PLANTED) and {n: b for n, b in bytes_of(s).items() if not n.endswith("-shm")} == {n: b for n, b in before.items() if not n.endswith("-shm")}
        report = json.loads(told(s, "redact", "-c", "c", "--json"))
        assert report["changed"] == dry["changed"] and set(report["kinds"]) == set(PLANTED) and report["secrets"] >= dry["secrets"], (report, dry)
        assert report["uploads_deleted"] == 1 and s.get(f"jobs/{failed}")["state"] == "cancelled" and failed not in s.spool()
        # The other collection says what it said.
        assert json.dumps(ALL) in s.ask("GET", "collections/d/export?as=native").body.decode()
        own = s.ask("GET", "collections/c/export?as=native").body.decode()
        assert not [x for x in NOWHERE if x in own or json.dumps(x)[1:-1] in own]
        everything = json.loads(told(s, "redact", "--json"))
        assert everything["changed"] == 2 and everything["runs"] == len(ids) + 3, everything # one of d, and the events of Langfuse in their own collection
        assert not (found := seen_in(s, [*NOWHERE])), found
        # People's words, ids, places.
        assert {r["id"] for r in s.all("collections/c/runs")} == ids and {f["id"] for f in s.all("collections/c/findings")} == findings
        review = s.get(f"findings/{confirmed}")
        assert review["status"] == "confirmed" and review["note"].startswith("seen: ") and "[redacted:" in review["note"], review
        now = s.get(f"runs/{run}")
        assert "by hand" in now["tags"] and any("[redacted:" in t for t in now["tags"]) and "[redacted:" in json.dumps(s.get("labels", run=run)), now
        assert rows(s.db, kept) == judgments
        for f in s.all("collections/c/findings"):
            assert all("[redacted:" in e["quote"] or f["detector"] != "secret-exposure" for e in f["evidence"][:1]), f
        assert s.get("search", q="redacted")["items"] and not s.get("search", q=NOWHERE[3])["items"]
        told(s, "check")
        # Twice changes nothing.
        state = rows(s.db, "SELECT n, hex(content_hash) FROM run"), rows(s.db, "SELECT * FROM span"), rows(s.db, "SELECT hex(data) FROM block")
        again = json.loads(told(s, "redact", "--json"))
        assert (again["secrets"], again["changed"]) == (0, 0), again
        assert state == (rows(s.db, "SELECT n, hex(content_hash) FROM run"), rows(s.db, "SELECT * FROM span"), rows(s.db, "SELECT hex(data) FROM block"))
        # What is exported comes back as it is, and what was read once is known without its secrets.
        own, new = os.path.join(s.path, "own.jsonl"), os.path.join(s.path, "new.db")
        told(s, "export", "-c", "c", "--to", own)
        for command in (["import", "-c", "c", own], ["export", "-c", "c", "--to", own + "2"], ["check"]):
            ran = subprocess.run([PROGRAM, "--db", new, *command], capture_output=True, timeout=60)
            assert ran.returncode == 0, ran
        with open(own) as a, open(own + "2") as b:
            assert a.read() == b.read()


def written_out(s):
    """Does a build hold what it read, in a file without a name?"""
    folder = f"/proc/{s.process.pid}/fd"
    for fd in os.listdir(folder):
        try:
            if "/t.db.spool/#" in os.readlink(f"{folder}/{fd}") and os.stat(f"{folder}/{fd}").st_size:
                return True
        except FileNotFoundError:
            pass
    return False


def stopped_in_a_build(s):
    """The server held where a build has read its pieces and not stored a run."""
    until = time.monotonic() + 30
    while not written_out(s):
        assert time.monotonic() < until, s.said()
    s.process.send_signal(signal.SIGSTOP)
    time.sleep(0.05)
    with open(s.db + ".lock") as lock:
        try: # else it writes or reads right now, and the file cannot be written anew
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        con = sqlite3.connect(s.db, timeout=0)
        busy = con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        con.close()
        if busy:
            return False
    return rows(s.db, "SELECT count(*) FROM piece_group WHERE attempts > 0") == [(1,)] and rows(s.db, "SELECT count(*) FROM run") == [(0,)]


def test_what_a_build_has_read_does_not_come_back():
    with Server("--workers", "1") as s:
        says = [f"{i} " + "words " * 500 for i in range(400)]
        for n in range(10):
            t = trace_id(n)
            send(s, export(root(t, "00000000000000ff"), *(model_call(t, f"{i + 1:016x}", 0, [("user", says[i])], ALL if i == 7 else "done", "00000000000000ff") for i in range(400)),
                           service__name=f"c{n}"))
            held = stopped_in_a_build(s)
            if held:
                break
            s.process.send_signal(signal.SIGCONT)
            settle(s)
            s.send("DELETE", f"collections/c{n}", status=204)
        assert held, "no build was met between its reading and its writing"
        report = json.loads(told(s, "redact", "--json"))
        assert report["secrets"] >= len(PLANTED) and report["runs"] == 0, report
        s.process.send_signal(signal.SIGCONT)
        until = time.monotonic() + 30
        while "secrets were taken out of what these runs are built of" not in s.said() and not rows(s.db, "SELECT 1 FROM run"):
            assert time.monotonic() < until, s.said()
            time.sleep(0.01)
        assert not (found := seen_in(s, NOWHERE)), found


def test_redacted_in_place_is_as_at_import():
    with tempfile.TemporaryDirectory() as folder:
        source, old, new = (os.path.join(folder, name) for name in ("a.jsonl", "old.db", "new.db"))
        with open(source, "w") as f:
            f.write(jsonl([chat(f"r{i}", f"{i} ß {says}, twice {says} and on") for i, says in enumerate([*SAYS, ALL, "none"])]))

        def tell(db, *command):
            ran = subprocess.run([PROGRAM, "--db", db, *command], capture_output=True, timeout=60, text=True)
            assert ran.returncode == 0, (command, ran)
            return ran.stdout

        tell(old, "import", "-c", "c", source)
        tell(new, "import", "--redact", "-c", "c", source)
        tell(old, "redact", "-c", "c")
        sql = "SELECT external_id, hex(content_hash) FROM run ORDER BY external_id"
        assert rows(old, sql) == rows(new, sql)
        tell(old, "check")
        with open(source, "a") as f:
            f.write(" \n")
        # Texts that others say lie in one block with what was taken away.
        shared = {"role": "user", "content": "what they all say " * 9, "extra": {"note": "what all of them carry " * 9}}
        for name, messages in (("b", [shared, {"role": "assistant", "content": "so: " + ALL, "extra": {"note": ALL}}]), ("c", [shared, {"role": "assistant", "content": "no"}])):
            with open(os.path.join(folder, name), "w") as f:
                f.write(json.dumps({"id": name, "messages": messages}))
            tell(old, "import", "-c", "c", f.name, "--jobs", "1")
        assert [where for where, data in values_of(old) if NOWHERE[0].encode() in data]
        assert json.loads(tell(old, "redact", "--json"))["changed"] == 1
        for where, data in values_of(old):
            assert not [x for x in NOWHERE if x.encode() in data], where
        tell(old, "check")
        assert json.loads(tell(old, "search", "what they all say", "-c", "c", "--json"))["items"]
        assert json.loads(tell(old, "import", "--redact", "-c", "c", source, "--json"))["runs"]["duplicate"] == len(SAYS) + 2
        logged = [row["detail"] for row in json.loads(tell(old, "audit", "--json"))["items"] if row["action"] == "telltale redact"]
        assert [(row["runs"], row["changed"]) for row in logged] == [(len(SAYS) + 4, 1), (len(SAYS) + 2, len(SAYS) + 1)], logged
        assert all(set(row["kinds"]) == set(PLANTED) and row["secrets"] == sum(row["kinds"].values()) and not row["refused"] for row in logged), logged


def test_redaction_brings_nobody_the_attachment_of_another_collection():
    """Who only names an attachment by its hash has it neither before nor after, and keeps it for nobody."""
    with tempfile.TemporaryDirectory() as folder:
        db = os.path.join(folder, "a.db")

        def tell(*command):
            ran = subprocess.run([PROGRAM, "--db", db, *command], capture_output=True, timeout=60, text=True)
            assert ran.returncode == 0, (command, ran)

        def say(collection, name, user):
            with open(os.path.join(folder, name), "w") as f:
                json.dump({"id": name, "messages": [user, {"role": "assistant", "content": "seen"}]}, f)
            tell("import", "-c", collection, "--no-detect", f.name)

        for name, text in (("clean", b"nothing to hide"), ("secret", ALL.encode())):
            url = "data:text/plain;base64," + base64.b64encode(text).decode()
            say("theirs", name, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
            named = {"sha256": hashlib.sha256(text).hexdigest(), "media_type": "text/plain", "size": len(text)}
            say("mine", "named " + name, {"role": "user", "content": ALL, "blobs": [named]})
        whose = "SELECT count(*) FROM blob_collection b JOIN collection c ON c.n = b.collection WHERE c.name = "
        assert rows(db, whose + "'theirs'") == [(2,)] and rows(db, whose + "'mine'") == [(0,)]
        tell("redact")
        assert rows(db, whose + "'theirs'") == [(2,)] and rows(db, whose + "'mine'") == [(0,)], rows(db, "SELECT * FROM blob_collection")
        for where, data in values_of(db):
            assert not [x for x in NOWHERE if x.encode() in data], where
        tell("check")


def test_what_cannot_be_looked_through_stays_and_the_rest_does_not():
    with tempfile.TemporaryDirectory() as folder:
        source, db, config = (os.path.join(folder, name) for name in ("a.jsonl", "a.db", "telltale.yaml"))
        endless = "x" + "ab" * 500000 + "!z"
        with open(source, "w") as f:
            f.write(jsonl([chat("bad", endless), chat("good", ALL)]))
        with open(config, "w") as f:
            f.write("redact: { card: 'x(?:a|b)+z' }\n")

        def tell(*command, status=0):
            ran = subprocess.run([PROGRAM, "--db", db, *command], capture_output=True, timeout=60, text=True)
            assert ran.returncode == status, (command, ran)
            return ran

        tell("import", "-c", "c", "--no-detect", source)
        with sqlite3.connect(db) as con:
            con.execute("INSERT INTO label (run, label_set, value, who, created_at) SELECT n, 'l', '\"v\"', ?, '2026-01-01T00:00:00Z' FROM run", [endless])
        con.close()
        ran = tell("redact", "--config", config, "--json", status=1)
        report, (bad,) = json.loads(ran.stdout), [i for i, in rows(db, "SELECT id FROM run WHERE external_id = 'bad'")]
        assert (report["changed"], report["refused"]) == (1, 3) and f"run {bad} stays" in ran.stderr and "label.who 1 stays" in ran.stderr, ran
        for where, data in values_of(db):
            assert not [x for x in NOWHERE if x.encode() in data], where
        with open(db, "rb") as f:
            data = f.read()
        assert not [x for x in NOWHERE if x.encode() in data]
        tell("check")


def test_nobody_else_reads_an_upload():
    with Server("--redact", "--workers", "1") as s:
        s.collection()
        for i in range(6):
            s.upload(jsonl([chat(f"{i}-{k}", f"{i} {k} " + ALL) for k in range(100)]), filename=f"{i}.jsonl", wait=0, status=202)
        modes = {oct(os.stat(os.path.join(s.db + ".spool", f)).st_mode & 0o777) for f in s.spool()}
        assert modes <= {"0o600"}, modes
        settle(s)
        assert not s.spool()


def test_a_slip_in_the_settings_stops_the_server():
    """Secrets are not stored because the settings could not be read."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "telltale.yaml")
        for text, word in (("redact: yes please\n", "redact is true, false"), ("redact: [true]\n", "redact is true, false"), ("redact: true\n  rules: [\n", ""),
                           ("redact: { card: '(' }\n", "card"), ("redact: { card: 7 }\n", "redact is true, false"), ("redact: { card: 'x*' }\n", "nothing at all"),
                           ("redcat: true\n", "did you mean 'redact'?"), ("serv: { redact: true }\n", "did you mean 'serve'?")):
            with open(path, "w") as f:
                f.write(text)
            for command in (["serve", "--listen", "127.0.0.1:0"], ["import", "-c", "c", "--no-detect", path]):
                ran = subprocess.run([PROGRAM, "--db", os.path.join(folder, "t.db"), *command, "--config", path], capture_output=True, timeout=60)
                assert ran.returncode not in (0, -9) and word in ran.stderr.decode(), (text, command[0], ran)


def test_import_on_the_command_line():
    with tempfile.TemporaryDirectory() as folder:
        source, db = os.path.join(folder, "a.jsonl"), os.path.join(folder, "t.db")
        with open(source, "w") as f:
            f.write(jsonl([chat("r", ALL)]))
        with open(source + "l", "w") as f: # as an export has it
            f.write(jsonl([{"label_set": {"name": "told", "title": "t " + ALL, "description": "d " + ALL,
                                          "schema": {"type": "object", "properties": {"why": {"type": "string", "description": ALL}}}}}]))
        ran = subprocess.run([PROGRAM, "--db", db, "import", "--redact", source, source + "l", "-c", "c", "--no-detect"], capture_output=True, timeout=60, text=True)
        assert ran.returncode == 0 and f"redacted: " in ran.stdout, ran
        for where, data in values_of(db):
            assert not [x for x in NOWHERE if x.encode() in data], where
        (title, description, schema), = rows(db, "SELECT title, description, schema FROM label_set WHERE name = 'told'")
        assert title.startswith("t ") and description.startswith("d ") and json.loads(schema)["properties"]["why"]["type"] == "string", schema
        # Of a dry run and of a scan of files nothing is told either.
        for command in (["import", "--redact", "--dry-run", source, "--json"], ["scan", "--redact", source, "--output", "sarif"]):
            ran = subprocess.run([PROGRAM, "--db", os.path.join(folder, "u.db"), *command], capture_output=True, timeout=60, text=True)
            assert ran.stdout and not [x for x in NOWHERE if x in ran.stdout + ran.stderr], ran


def test_what_cannot_be_replaced_is_counted():
    with Server() as s:
        s.collection()
        s.upload(jsonl([chat("r", "fine")]), headers={"Idempotency-Key": "job-" + SAYS[0]})
        told(s, "token", "create", SAYS[0], "--scope", "read")
        con = sqlite3.connect(s.db)
        con.execute("INSERT INTO append (run, key, transcript, first_message, messages, finished) SELECT n, ?, 1, 1, 1, 0 FROM run", [SAYS[0]])
        con.execute("INSERT INTO piece_group (collection, path) SELECT n, ? FROM collection", ["langfuse:" + SAYS[0]])
        con.commit()
        con.close()
        report = json.loads(told(s, "redact", "--json"))
        assert report["rules_left"] == 4, report
        assert rows(s.db, "SELECT count(*) FROM token WHERE name LIKE '%[redacted%'") == [(0,)]


def test_what_was_stored_before_goes_through_an_export():
    """Into a database of its own, as no page of the old one is known to be clean; findings and reviews come along, and their words still stand."""
    with tempfile.TemporaryDirectory() as folder:
        source, exported, new = (os.path.join(folder, name) for name in ("a.jsonl", "x.jsonl", "new.db"))
        with open(source, "w") as f:
            f.write(jsonl([chat(f"r{i}", f"{i} ß {says}, twice {says} and on") for i, says in enumerate([*SAYS, ALL])]))

        def tell(db, *command):
            ran = subprocess.run([PROGRAM, "--db", db, *command], capture_output=True, timeout=60, text=True)
            assert ran.returncode == 0, (command, ran)
            return ran.stdout

        old = os.path.join(folder, "old.db")
        tell(old, "import", "-c", "c", source)
        finding = json.loads(tell(old, "findings", "-c", "c", "--detector", "secret-exposure", "--json"))["items"][0]
        tell(old, "review", "confirmed", finding["id"], "--note", "seen: " + PLANTED["aws-key"][1])
        tell(old, "export", "-c", "c", "--to", exported)
        tell(new, "import", "--redact", "-c", "c", exported)
        for where, data in values_of(new):
            told = [x for x in NOWHERE if x.encode() in data]
            assert not told, (where, told)
        with open(new, "rb") as f:
            data = f.read()
        assert not [x for x in NOWHERE if x.encode() in data]
        rows = json.loads(tell(new, "findings", "-c", "c", "--detector", "secret-exposure", "--json"))["items"]
        assert len(rows) > len(PLANTED) / 2 and [r["status"] for r in rows].count("confirmed") == 1, rows[:2]
        assert all("[redacted:" in e["quote"] for r in rows for e in r["evidence"]), rows[:2]
        tell(new, "check")
