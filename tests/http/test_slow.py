"""Clients that are slow on purpose do not keep others out."""
import select
import socket
import threading
import time

from server import Server, chat, jsonl, sample
from test_tls import serve as serve_tls


def together(*functions):
    """Runs them at the same time and raises what any of them raised."""
    errors = []

    def guard(f):
        try:
            f()
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=guard, args=(f,)) for f in functions]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def closed_after(c, most, drip=b""):
    """Seconds until the other side closes, while a byte of `drip` goes out now and then."""
    began = time.monotonic()
    c.settimeout(0.5)
    while time.monotonic() - began < most:
        try:
            if drip:
                c.sendall(drip)
            if c.recv(65536) == b"":
                return time.monotonic() - began
        except socket.timeout:
            continue
        except OSError:
            return time.monotonic() - began
    raise AssertionError(f"still open after {most} s")


def connect(s, head=b"", rcvbuf=0):
    c = socket.socket()
    if rcvbuf:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    c.connect(("127.0.0.1", s.port))
    c.sendall(head.replace(b"$HOST", f"127.0.0.1:{s.port}".encode()))
    return c


def test_exports_that_nobody_reads_are_so_many_and_no_more():
    with Server() as s:
        s.collection()
        s.upload(jsonl([chat("large", "word " * (2 << 20))]), "large.jsonl")
        readers = []
        try:
            for _ in range(32):
                c = socket.socket()
                c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                c.settimeout(30)
                c.connect(("127.0.0.1", s.port))
                c.sendall(f"GET /api/v1/collections/c/export HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\n\r\n".encode())
                readers.append(c)
            begun = []
            while len(begun) < len(readers): # those that have begun read as much as keeps them from being closed, however long the last one takes
                for c in select.select(readers, [], [])[0]:
                    if c not in begun:
                        assert c.recv(12) == b"HTTP/1.1 200"
                        begun.append(c)
                    else:
                        c.recv(4096)
                time.sleep(0.3)
            a = s.ask("GET", "collections/c/export")
            a.problem(503, "too many exports")
            assert int(a.headers["retry-after"]) > 0 and s.get("collections/c")["runs"] == 1, "and everything else goes on"
        finally:
            for c in readers:
                c.close()
        until = time.monotonic() + 20
        while (a := s.ask("GET", "collections/c/export")).status == 503 and time.monotonic() < until:
            time.sleep(0.1)
        assert a.status == 200 and len(a.body) > 10 << 20, a.status


def test_slow_heads_bodies_and_readers_are_closed():
    def head():
        with connect(s, b"GET / HTTP/1.1\r\nHost: $HOST\r\n") as c:
            assert closed_after(c, 9, b"X: 1\r\n") > 3

    def line():
        with connect(s, b"GET /") as c:
            closed_after(c, 9, b"a")

    def second():  # kept alive, and then dripping
        with connect(s, b"GET /healthz HTTP/1.1\r\nHost: $HOST\r\n\r\n") as c:
            assert c.recv(65536).startswith(b"HTTP/1.1 200")
            c.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\n".encode())
            closed_after(c, 9, b"X: 1\r\n")

    def body():
        with connect(s, b"POST /api/v1/collections/c/uploads HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 100000\r\n\r\n") as c:
            assert closed_after(c, 25, b"x") > 5

    def reader():  # asks for much and reads nothing
        with connect(s, b"GET /api/v1/collections/c/export HTTP/1.1\r\nHost: $HOST\r\n\r\n", rcvbuf=4096) as c:
            time.sleep(26)
            got = 0
            c.settimeout(5)
            try:
                while chunk := c.recv(1 << 20):
                    got += len(chunk)
            except OSError:
                pass
            assert got < 20 << 20, "it was all sent"

    def stranger():  # speaks no TLS, or begins it and says no more
        with connect(tls, b"") as c, connect(tls, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") as hello:
            closed_after(c, 9)
            closed_after(hello, 9)
        assert tls.ask("GET", "/healthz").status == 200

    with Server() as s, serve_tls() as tls:
        s.collection()
        big = "".join('{"id":"%d","messages":[{"role":"user","content":"%s"}]}\n' % (i, "lorem ipsum " * 90000) for i in range(30))
        assert s.upload(big)["state"] == "done"
        together(head, line, second, body, reader, stranger)
        deadline = time.monotonic() + 5
        while s.spool() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert s.spool() == [], "the half upload is still there"
        assert s.ask("GET", "/healthz").status == 200


def test_hundreds_of_dripping_clients_leave_room_for_others():
    with Server() as s:
        drips = [connect(s, b"GET / HTTP/1.1\r\nHost: $HOST\r\n") for _ in range(600)]
        slowest = 0
        until = time.monotonic() + 4
        while time.monotonic() < until:
            for c in drips[::7]:
                try:
                    c.sendall(b"X: 1\r\n")
                except OSError:
                    pass
            began = time.monotonic()
            assert s.ask("GET", "collections", timeout=5).status == 200
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.1)
        for c in drips:
            c.close()
        assert slowest < 1, f"{slowest:.2f} s"


def test_long_queries_keep_nobody_from_reading():
    s = sample()
    done = []

    def slow():
        query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 600000) SELECT count(*) FROM n"
        for _ in range(2):
            done.append(s.ask("POST", "sql", {"query": query}).status)

    def quick():
        worst = reads = 0
        while len(done) < 8:
            began = time.monotonic()
            assert s.ask("GET", "collections/sample/runs?limit=1").status == 200
            worst = max(worst, time.monotonic() - began)
            reads += 1
        assert reads > 20 and worst < 1, f"{reads} reads, the slowest in {worst:.2f} s"

    together(slow, slow, slow, slow, quick)
    assert set(done) <= {200, 422}, done  # 422: cut at its deadline


def test_what_nobody_waits_for_is_broken_off():
    """Of clients that go away, queries and searches: a lane of two is free again at once."""
    def ask(method, path, body=b""):
        head = f"{method} /api/v1/{path} HTTP/1.1\r\nHost: $HOST\r\nContent-Length: {len(body)}\r\n\r\n" if body else \
               f"{method} /api/v1/{path} HTTP/1.1\r\nHost: $HOST\r\n\r\n"
        return connect(s, head.encode() + body)

    endless = b'{"query": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"}'
    with Server() as s:
        s.collection()
        # each text takes this pattern to its limit of 200 ms
        s.upload("".join('{"id":"%d","messages":[{"role":"user","content":"%d %s!"}]}\n' % (i, i, "a" * 40) for i in range(60)))
        slow = "search?q=%28%28a%2B%29%2B%29%2B%24&regex=1"
        for method, path, body in [("POST", "sql", endless), ("GET", slow, b""), ("GET", slow.replace("search", "search/facets"), b"")]:
            with ask(method, path, body) as c:
                c.settimeout(0.5)
                try:
                    assert not c.recv(1), f"{path} is not slow: there is nothing to see"
                    raise AssertionError("closed")
                except socket.timeout:
                    pass
            abandoned = [ask(method, path, body) for _ in range(3)]
            time.sleep(0.2)
            for c in abandoned:
                c.close()
            began = time.monotonic()
            assert s.get("search", q="0 aaaa")["items"], "nothing found"
            took = time.monotonic() - began
            assert took < 1.5, f"after three of {path} that were abandoned a search takes {took:.2f} s"
