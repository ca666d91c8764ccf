"""The real program, served on a port of its own, and a client that says exactly what goes over the wire."""
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.path.abspath(sys.argv[1])
# What a sanitizer costs (make BUILD=asan|tsan), in time and in memory: limits on either are so many times as wide.
LINKED = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
COST = 10 if "libtsan" in LINKED else 4 if "libasan" in LINKED else 1


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, {k.lower(): v for k, v in headers}, body

    def json(self):
        return json.loads(self.body)

    def problem(self, status, *words):
        """Checks that this is an error of the documented shape that says these words."""
        p = self.json()
        assert self.status == status, f"{self.status}, not {status}: {self.body[:300]!r}"
        assert self.headers["content-type"] == "application/problem+json", self.headers
        assert set(p) == {"type", "title", "status", "detail", "code", "instance"} and p["status"] == status and p["code"], p
        for word in words:
            assert word in p["detail"], f"{word!r} is not in {p['detail']!r}"
        return p


class Server:
    """`with Server() as s:`; the folder goes when it is closed. `ca`: it speaks TLS, with a certificate of that file. `cwd`: where
    it finds a telltale.yaml that nobody names."""

    def __init__(self, *options, folder=None, ca=None, cwd=None):
        self.cwd = cwd
        self.tls = ssl.create_default_context(cafile=ca) if ca else None
        self.folder = None if folder else tempfile.TemporaryDirectory(prefix="telltale-http-")
        self.path = folder or self.folder.name
        self.db = os.path.join(self.path, "t.db")
        self.options = options
        self.start()

    def start(self):
        self.log = open(os.path.join(self.path, "log"), "ab+")
        self.log.seek(0, os.SEEK_END)
        at = self.log.tell()
        self.process = subprocess.Popen([PROGRAM, "--db", self.db, "serve", "--listen", "127.0.0.1:0", *self.options],
                                        stdout=self.log, stderr=self.log, start_new_session=True, cwd=self.cwd)
        until = time.monotonic() + 30 * COST
        while time.monotonic() < until:
            self.log.seek(at)
            for line in self.log.read().decode(errors="replace").splitlines(True):
                if line.startswith("listening on https://" if self.tls else "listening on http://") and line.endswith("\n"):
                    self.host, port = line.split("//")[1].strip().rsplit(":", 1)
                    self.port = int(port)
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f"the server does not start: {self.said()}")

    def said(self, most=3000):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-most:]

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, most=10):
        """SIGTERM; how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        most *= COST
        status = self.process.wait(timeout=most + 5)
        took = time.monotonic() - began
        assert status == 0, f"exit {status}: {self.said()}"
        assert took <= most, f"{took:.1f} s to stop"
        return took

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.terminate() if kind is None else self.process.kill()
            try:
                self.process.wait(timeout=15 * COST)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        said = self.said(1 << 30)
        self.log.close()
        if self.folder:
            self.folder.cleanup()
        assert "Sanitizer" not in said and "runtime error" not in said, said[-20000:] # Address, Leak, Thread

    # ---- talking to it

    def ask(self, method, path, body=None, headers=None, timeout=60):
        timeout *= COST
        if self.tls:
            c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.tls)
        else:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body).encode()
            c.request(method, path if path.startswith("/") else "/api/v1/" + path, body, headers or {})
            r = c.getresponse()
            return Answer(r.status, r.getheaders(), r.read())
        finally:
            c.close()

    def get(self, path, status=200, **query):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        a = self.ask("GET", path)
        assert a.status == status, f"GET {path}: {a.status}, not {status}: {a.body[:500]!r}"
        return a.json()

    def send(self, method, path, body=None, status=200, headers=None):
        a = self.ask(method, path, body, headers)
        assert a.status == status, f"{method} {path}: {a.status}, not {status}: {a.body[:500]!r}"
        return a.json() if a.body else None

    def all(self, path, **query):
        """All items of a list, page by page."""
        items, after = [], None
        while True:
            page = self.get(path, **query, **({"after": after} if after else {}))
            items += page["items"]
            after = page["next"]
            if not after:
                return items

    def collection(self, name="c"):
        return self.send("POST", "collections", {"name": name}, 201)

    def upload(self, content, filename="a.jsonl", collection="c", wait=30 * COST, status=200, headers=None, **more):
        query = urllib.parse.urlencode({"filename": filename, **({"wait": wait} if wait else {}), **more})
        content = content if isinstance(content, bytes) else content.encode()
        return self.send("POST", f"collections/{collection}/uploads?{query}", content, status, headers)

    def spool(self):
        return [f for f in os.listdir(self.db + ".spool") if len(f) == 36]

    # ---- byte for byte

    def connect(self, timeout=10):
        c = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        return self.tls.wrap_socket(c, server_hostname="127.0.0.1") if self.tls else c

    def raw(self, data, timeout=10, close=True):
        """Sends bytes; what comes back until the server closes, or until nothing came for a while."""
        with self.connect(timeout) as c:
            got = b""
            try:
                c.sendall(data.replace(b"$HOST", f"127.0.0.1:{self.port}".encode()))
                if close:
                    c.shutdown(socket.SHUT_WR)
                while chunk := c.recv(65536):
                    got += chunk
            except OSError: # it was closed, or nothing more came
                pass
            return got


def chat(id, text="hello", **more):
    return {"id": id, "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "done"}], **more}


def jsonl(rows):
    return "".join(json.dumps(r) + "\n" for r in rows)


def statuses(raw):
    """The status of each answer in what came over a connection."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d) ", raw)]


_sample = []


def sample():
    """A server with the sample collection, shared by the tests that only read."""
    if not _sample:
        s = Server()
        job = s.send("POST", "sample", {}, 202)
        assert s.get(f"jobs/{job['id']}", wait=60)["state"] == "done", s.said()
        _sample.append(s)
    return _sample[0]


def end_sample():
    for s in _sample:
        s.__exit__(None)
