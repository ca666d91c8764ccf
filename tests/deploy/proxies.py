#!/usr/bin/env python3
"""The examples for reverse proxies, before the real nginx and Caddy: what clients send arrives, and what attackers send does not.

usage: proxies.py PROGRAM
"""
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "http"))
from server import Server, chat, jsonl

NAME = "telltale.example.org"
EXAMPLES = os.path.join(ROOT, "deploy", "examples")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def example(name, changes):
    """The file as it stands, but for the addresses and places of this machine; each change must have something to change."""
    with open(os.path.join(EXAMPLES, name)) as file:
        text = file.read()
    for old, new in changes:
        assert old in text, (name, old)
        text = text.replace(old, new)
    return text


class Proxy:
    def __init__(self, folder, upstream):
        self.folder, self.port = folder, free_port()
        self.cert, self.key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
        if not os.path.exists(self.cert):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.cert, "-days", "2",
                            "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"], check=True, capture_output=True)
        self.log = open(os.path.join(folder, "proxy.log"), "wb+")
        self.process = subprocess.Popen(self.command(upstream), stdout=self.log, stderr=self.log, env={**os.environ, "HOME": folder})
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                self.log.seek(0)
                assert time.monotonic() < until and self.process.poll() is None, self.log.read().decode()[-2000:]
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()

    def connect(self):
        context = ssl.create_default_context(cafile=self.cert)
        return context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 30), server_hostname=NAME)

    def ask(self, method, path, body=None, headers=None, **more):
        c = http.client.HTTPConnection(NAME, self.port, timeout=60)
        c.sock = self.connect()
        try:
            c.request(method, path, body, headers or {}, **more)
            r = c.getresponse()
            return r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read()
        finally:
            c.close()

    def raw(self, data):
        """All that comes back until the other end closes, or a second after the last byte."""
        got = b""
        with self.connect() as s:
            s.sendall(data)
            s.settimeout(1)
            try:
                while piece := s.recv(65536):
                    got += piece
            except (TimeoutError, OSError):
                pass
        return got


class Nginx(Proxy):
    example = "nginx.conf"

    def command(self, upstream):
        site = example("nginx.conf", [
            ("    listen [::]:443 ssl http2;\n", ""), ("    listen [::]:80;\n", ""),
            ("listen 443 ", f"listen 127.0.0.1:{self.port} "), ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
            ("/etc/ssl/telltale.example.org.pem", self.cert), ("/etc/ssl/private/telltale.example.org.key", self.key),
            ("127.0.0.1:8787", f"127.0.0.1:{upstream}")])
        conf = os.path.join(self.folder, "nginx.conf")
        temporary = "".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.getuid() == 0 else ""
        with open(conf, "w") as out:
            out.write(f"{user} daemon off; pid {self.folder}/pid; error_log stderr; events {{}} http {{ access_log off; {temporary}\n{site}\n}}\n")
        return ["nginx", "-p", self.folder, "-e", "stderr", "-c", conf]


class Caddy(Proxy):
    example = "Caddyfile"

    def command(self, upstream):
        conf = os.path.join(self.folder, "Caddyfile")
        with open(conf, "w") as out:
            out.write("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" +
                      example("Caddyfile", [(f"\n{NAME} {{\n", f"\nhttps://{NAME}:{self.port} {{\n\tbind 127.0.0.1\n\ttls {self.cert} {self.key}\n"),
                                            ("127.0.0.1:8787", f"127.0.0.1:{upstream}")]))
        return ["caddy", "run", "--config", conf, "--adapter", "caddyfile"]


class Recorder:
    """Stands where Telltale does and keeps every byte that a proxy sends on."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.seen = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(c,), daemon=True).start()

    def answer(self, c):
        c.settimeout(2)
        try:
            while piece := c.recv(65536): # a proxy's heads come in one piece
                self.seen.append(piece)
                if b" HTTP/1.1\r\n" in piece:
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except OSError:
            pass
        c.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def host(proxy):
    return f"{NAME}:{proxy.port}"


def check_what_clients_send(proxy, s):
    status, headers, page = proxy.ask("GET", "/")
    assert status == 200 and b"<title>" in page and "content-security-policy" in headers, (status, headers)
    assert proxy.ask("GET", "/readyz")[0] == 200
    status, _, body = proxy.ask("POST", "/api/v1/collections", b'{"name": "c"}', {"Origin": f"https://{host(proxy)}"})
    assert status == 201, body
    assert proxy.ask("POST", "/api/v1/collections", b'{"name": "d"}', {"Origin": "https://evil.example"})[0] == 403

    data = jsonl([chat(f"r{i}", "word " * 2000) for i in range(3000)])  # 30 MB: more than a proxy's own limits and buffers
    status, _, body = proxy.ask("POST", "/api/v1/collections/c/uploads?filename=a.jsonl&wait=60", data.encode())
    assert status == 200 and json.loads(body)["result"]["runs"]["new"] == 3000, body[:300]

    def pieces():
        for at in range(0, len(data), 1 << 20):
            yield data[at:at + (1 << 20)].encode()

    status, _, body = proxy.ask("POST", "/api/v1/collections/c/uploads?filename=b.jsonl&wait=60", pieces(), encode_chunked=True)
    assert status == 200 and json.loads(body)["result"]["runs"]["duplicate"] == 3000, body[:300]
    status, _, there = proxy.ask("GET", "/api/v1/collections/c/export")
    assert status == 200 and there == s.ask("GET", "/api/v1/collections/c/export", headers={"Host": f"127.0.0.1:{s.port}"}).body

    # A refusal reaches a client that is still sending.
    status, _, body = proxy.ask("POST", "/api/v1/collections/c/uploads?filename=big", b"x" * (60 << 20))
    assert status == 413 and json.loads(body)["code"], (status, body[:300])


def check_names(proxy, s):
    """Telltale answers to no name but its own, whichever the proxy lets through."""
    for name in ("evil.example", f"evil.example:{proxy.port}", "127.0.0.1.evil.example"):
        got = proxy.raw(f"GET /api/v1/collections HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        assert b'"items"' not in got, (name, got)


def check_what_proxies_pass_on(proxy, recorder):
    lie = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    assert proxy.ask("GET", "/seen", headers=lie)[0] == 200
    head = next(h for h in recorder.seen if b"/seen" in h).decode()
    fields = re.findall(r"^([\w-]+): *(.*?)\r$", head, re.M)
    values = {name.lower(): [v for n, v in fields if n.lower() == name.lower()] for name, _ in fields}
    assert values["host"] == [host(proxy)], head
    assert values["x-forwarded-for"] == ["127.0.0.1"] and values["x-forwarded-proto"] == ["https"], head

    # What two servers could read as two different requests is refused, or rewritten so that there is one way to read it.
    at = f"Host: {host(proxy)}"
    smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    for what, request in (
            ("bare LF", f"GET /lf HTTP/1.1\n{at}\nConnection: close\n\n"),
            ("bare LF in a field", f"GET /lf HTTP/1.1\r\n{at}\r\nX: a\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"),
            ("bare CR", f"GET /cr HTTP/1.1\r\n{at}\r\nX: a\rb: c\r\nConnection: close\r\n\r\n"),
            ("two lengths", f"POST /two HTTP/1.1\r\n{at}\r\nContent-Length: 0\r\nContent-Length: {len(smuggled)}\r\n\r\n{smuggled}"),
            ("length and chunked", f"POST /both HTTP/1.1\r\n{at}\r\nContent-Length: {len(smuggled) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
            ("unknown coding", f"POST /te HTTP/1.1\r\n{at}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}"),
            ("space before colon", f"POST /sp HTTP/1.1\r\n{at}\r\nContent-Length : {len(smuggled)}\r\n\r\n{smuggled}"),
            ("folded field", f"GET /fold HTTP/1.1\r\n{at}\r\nX: a\r\n Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"),
            ("two hosts", f"GET /hosts HTTP/1.1\r\n{at}\r\nHost: evil.example\r\nConnection: close\r\n\r\n")):
        before = len(recorder.seen)
        status = proxy.raw(request.encode()).split(b" ")[1:2]
        time.sleep(0.1)
        passed = b"".join(recorder.seen[before:])
        print(f"  {what:20} {status[0].decode() if status else 'closed'}{', passed on' if passed else ''}")
        assert re.search(rb"(?<!\r)\n|\r(?!\n)", passed) is None, (what, passed)
        lengths = len(re.findall(rb"(?im)^content-length:", passed)) + len(re.findall(rb"(?im)^transfer-encoding:", passed))
        heads = len(re.findall(rb"(?m)^[A-Z]+ /\S* HTTP/1.1\r$", passed))
        assert lengths <= max(heads, 1) and len(re.findall(rb"(?im)^host:", passed)) == heads, (what, passed)
        if b"GET /smuggled" in passed: # a request of its own, for a server that nothing here has, or a body: never inside of another
            assert heads >= 1 and b"Host: x\r\n" not in passed.split(b"\r\n\r\n")[0], (what, passed)


def check_waits(text):
    """A proxy waits for as long as a client may ask Telltale to."""
    with Server() as s:
        longest = max(p["schema"].get("maximum", 0) for path in s.get("/openapi.json")["paths"].values() for verb in path.values() if isinstance(verb, dict)
                      for p in verb.get("parameters", []) if p.get("name") == "wait")
    patience = int(re.search(r"(?:proxy_read_timeout|response_header_timeout) (\d+)s", text)[1])
    assert 0 < longest < patience, (longest, patience)


def main():
    passed = failed = 0
    for kind in (Nginx, Caddy):
        with open(os.path.join(EXAMPLES, kind.example)) as file:
            text = file.read()
        settings = re.search(r"serve: \{ host: (\S+), behind-proxy: (\w+)", text)
        options = ["--host", settings[1], "--behind-proxy", settings[2], "--insecure", "--max-upload", "50"]
        with tempfile.TemporaryDirectory(prefix="telltale-proxy-") as folder:
            for check in (check_what_clients_send, check_names, check_what_proxies_pass_on, check_waits):
                try:
                    if check is check_waits:
                        check(text)
                    elif check is check_what_proxies_pass_on:
                        with Recorder() as recorder, kind(folder, recorder.port) as proxy:
                            check(proxy, recorder)
                    else:
                        with Server(*options) as s, kind(folder, s.port) as proxy:
                            check(proxy, s)
                    passed += 1
                except Exception as e:
                    failed += 1
                    print(f"FAILED {kind.__name__} {check.__name__}: {type(e).__name__}: {str(e)[:3000]}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
