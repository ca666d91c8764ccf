"""Nobody keeps the server from everybody else: the threads that answer are shared out between those who ask."""
import json
import select
import socket
import time

from test_access import Closed

ENDLESS = json.dumps({"query": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"}).encode()
SHORT = b'{"query": "SELECT 1"}'


def query(s, name, body=ENDLESS):
    c = socket.create_connection(("127.0.0.1", s.port), timeout=60)
    c.sendall(b"POST /api/v1/sql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
              b"Content-Length: %d\r\n\r\n%s" % (s.port, s.tokens[name].encode(), len(body), body))
    return c


def answered(connections, wait=0):
    return select.select(connections, [], [], wait)[0]


def flood(s, name):
    """Two endless queries that run (if they may), and twenty-two that wait."""
    first = [query(s, name) for _ in range(2)]
    time.sleep(0.3)
    return first, [query(s, name) for _ in range(22)]


def test_one_token_does_not_fill_the_server():
    with Closed() as s:
        for name in ("one", "another"):
            s.tokens[name] = s.as_admin("POST", "tokens", {"name": name, "scopes": ["read"]}, 201)["token"]
        run, wait = flood(s, "one")
        s.as_admin("POST", "sql", {"query": "SELECT 1"})
        s.as_admin("GET", "search?q=anything")
        assert not answered(run + wait), "a query that ends first shows nothing"

        more = [query(s, "one") for _ in range(120)] # 128 may wait
        refused = answered(more, 10)
        assert refused
        said = refused[0].recv(9999)
        assert said.startswith(b"HTTP/1.1 429") and b"Retry-After: " in said and b"of yours wait" in said, said

        also, waits = flood(s, "another") # now all threads are busy
        mine = query(s, "admin", SHORT)
        time.sleep(0.3)
        run[0].close() # there is room for one; the queries that wait came first
        first = answered([mine, run[1], *also, *wait, *waits], 20)
        assert first == [mine] and mine.recv(9999).startswith(b"HTTP/1.1 200"), "whoever had most went on having it"
        s.kill() # nobody waits for what still runs
