"""import --to: the command line sends to a server; a broken one goes on."""
import contextlib
import io
import json
import os
import socket
import subprocess
import tarfile
import tempfile
import threading
import time

from server import PROGRAM, Server


def chat(id, text):
    return json.dumps({"id": id, "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "done"}]})


def folder_of(files):
    folder = tempfile.TemporaryDirectory(prefix="telltale-send-")
    for name, content in files.items():
        path = os.path.join(folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(content)
    return folder


def send(folder, address, *options, status=0):
    done = subprocess.run([PROGRAM, "-q", "import", folder.name, "--to", f"http://{address}", "-c", "sent", "--json", *options],
                          capture_output=True, timeout=120)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if status < 2 else done.stderr.decode()


def test_what_is_sent_is_there_and_is_not_sent_again():
    folder = folder_of({"a/x.json": chat("x", "one"), "a/y.json": chat("y", "two"), "notes.txt": "no transcript",
                        "bad.jsonl": chat("z", "three") + "\n{\"messages\": [\n"})
    with Server() as s:
        address = f"{s.host}:{s.port}"
        first = send(folder, address, status=1)
        assert first["runs"] == {"new": 3, "updated": 0, "duplicate": 0, "rejected": 1}, first
        assert first["files"] == {"read": 3, "skipped": 1, "failed": 0}, first
        assert [(e["location"], e["code"]) for e in first["errors"] if e["source"].endswith("bad.jsonl")] == [("line 2", "bad_format")], first["errors"]
        again = send(folder, address, status=1)
        assert again["runs"] == {"new": 0, "updated": 0, "duplicate": 3, "rejected": 1}, again
        uploads = [j for j in s.get("jobs", limit=100)["items"] if j["kind"] == "import"]
        names = [os.path.basename(j["filename"]) for j in uploads]
        assert names.count("x.json") == 1 and names.count("bad.jsonl") == 2, names


def test_a_folder_that_is_sent_is_what_it_is_here():
    """What a format takes from the path of a file: WebVoyager's task."""
    chat = open(os.path.join(os.path.dirname(__file__), "..", "fixtures", "webvoyager", "good", "input.json"), encoding="utf-8").read()
    folder = folder_of({"taskShop--4/interact_messages.json": chat, "taskShop--4/agent.log": "INFO - Total cost: 0.5\n"})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(folder.name, "results")
    with Server() as s, tempfile.TemporaryDirectory() as here:
        db = os.path.join(here, "here.db")
        subprocess.run([PROGRAM, "-q", "--db", db, "import", folder.name, "-c", "here"], check=True, capture_output=True, timeout=60)
        unpacked = json.loads(subprocess.run([PROGRAM, "--db", db, "runs", "--output", "jsonl"], check=True, capture_output=True, timeout=60).stdout)
        send(folder, f"{s.host}:{s.port}")
        s.upload(packed.getvalue(), "results.tar", "sent")
        runs = s.get("collections/sent/runs")["items"]
    assert (unpacked["name"], unpacked["task_id"]) == ("taskShop--4", "Shop--4"), unpacked
    assert [run["content_hash"] for run in runs] == [unpacked["content_hash"]] * 2, runs


def lose_an_answer(listener, server):
    """Passes connections on to the server; its first answer to an upload is not passed back. Returns what was lost."""
    here, there = (f"{host}:{port}".encode() for host, port in (listener.getsockname(), (server.host, server.port)))
    lost = []

    def pump(source, to, uploads, is_answer):
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                if piece.startswith(b"POST") and b"/uploads?" in piece[:500]:
                    uploads.append(piece)
                if is_answer and uploads and not lost:
                    lost.append(piece)
                    break
                to.sendall(piece.replace(b"Host: " + here, b"Host: " + there))
        for s in (source, to):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        source.close()

    def accept():
        while True:
            inside, outside, uploads = listener.accept()[0], socket.create_connection((server.host, server.port)), []
            threading.Thread(target=pump, args=(inside, outside, uploads, False), daemon=True).start()
            threading.Thread(target=pump, args=(outside, inside, uploads, True), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return lost


def test_an_upload_whose_answer_was_lost_is_taken_once():
    folder = folder_of({"x.json": chat("x", "one")})
    with Server() as s, socket.create_server(("127.0.0.1", 0)) as listener:
        lost = lose_an_answer(listener, s)
        report = send(folder, f"127.0.0.1:{listener.getsockname()[1]}")
        assert lost and report["runs"]["new"] == 1, (lost, report)
        uploads = [j for j in s.get("jobs", limit=100)["items"] if j["kind"] == "import"]
        assert len(uploads) == 1, uploads


class LateServer:
    """An import into a server that is begun when the import has asked for it once."""

    def __init__(self, folder, *options):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.data = tempfile.TemporaryDirectory()
        self.command = [PROGRAM, "--db", os.path.join(self.data.name, "t.db"), "-q", "serve", "--listen", f"127.0.0.1:{port}"]
        self.sender = subprocess.Popen([PROGRAM, *options, "import", folder.name, "--to", f"http://127.0.0.1:{port}", "-c", "late", "--json"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1)

    def start(self):
        """The sender's status, report and words."""
        server = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            out, said = self.sender.communicate(timeout=60)
            assert out, said
            return self.sender.returncode, json.loads(out), said.decode()
        finally:
            server.kill()
            server.wait()


def test_a_server_that_comes_back_is_waited_for():
    folder = folder_of({"x.json": chat("x", "one")})
    status, report, said = LateServer(folder).start()
    assert status == 0 and report["runs"]["new"] == 1, (report, said)
    assert said.count("cannot reach http://") == 1 and "trying again" in said, said
    assert "cannot reach" not in LateServer(folder, "-q").start()[2]


def test_a_file_that_shrinks_fails_alone():
    folder = folder_of({"a.json": chat("a", "one" * 1000), "b.json": chat("b", "two")})
    late = LateServer(folder)
    os.truncate(os.path.join(folder.name, "a.json"), 1000)
    status, report, said = late.start()
    assert status == 1 and report["runs"]["new"] == 1 and report["files"]["failed"] == 1, (report, said)
    assert "shorter" in report["errors"][0]["message"] and report["errors"][0]["source"].endswith("a.json"), report["errors"]


def test_one_of_a_group_that_cannot_be_packed_keeps_none_back():
    task = {"task_id": "t-1", "setup_info": {"repo_path": "/r"}, "task_info": {"repo": "lib"}}
    talk = [{"role": "system", "content": "You are a software developer maintaining a large project."}, {"role": "user", "content": "x"}]
    odd = os.fsdecode(b"t\xff")
    folder = folder_of({f"{odd}/meta.json": json.dumps(task), f"{odd}/conversation_round_0.json": json.dumps(talk),
                        f"{odd}/conversation_round_1.json": json.dumps(talk + talk[1:]), "y.json": chat("y", "two")})
    late = LateServer(folder)
    os.remove(os.path.join(folder.name, odd, "conversation_round_1.json"))
    status, report, said = late.start()
    assert status == 1 and report["runs"]["new"] == 2 and report["files"]["failed"] == 1, (report, said)
    assert report["formats"] == {"auto-code-rover": 1, "openai-chat": 1}, report
    assert [e["code"] for e in report["errors"]] == ["not_found"] and "conversation_round_1" in report["errors"][0]["source"], report["errors"]


def test_where_no_server_of_ours_is():
    folder = folder_of({"x.json": chat("x", "one")})
    assert "http://" in subprocess.run([PROGRAM, "import", folder.name, "--to", "ftp://x", "-c", "c"], capture_output=True, timeout=60).stderr.decode()
    with Server() as s:
        said = send(folder, f"{s.host}:{s.port}/elsewhere", status=3)
        assert "404" in said, said
