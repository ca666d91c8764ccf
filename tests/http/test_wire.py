"""What goes over the wire: framing, hosts, paths, methods, headers."""
import gzip
import http.client
import json
import re

from server import Server, sample, statuses


def test_requests_with_two_meanings_are_refused_and_the_connection_closed():
    s = sample()
    tail = b"GET /healthz HTTP/1.1\r\nHost: $HOST\r\n\r\n"
    post = b"POST /api/v1/sql HTTP/1.1\r\n"
    cases = {
        "no Host": b"GET / HTTP/1.1\r\n\r\n",
        "two Hosts": b"GET / HTTP/1.1\r\nHost: $HOST\r\nHost: $HOST\r\n\r\n",
        "two lengths": post + b"Host: $HOST\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
        "two equal lengths": post + b"Host: $HOST\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "length and chunked": post + b"Host: $HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunked and length": post + b"Host: $HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "chunked before there was chunked": post.replace(b"1.1", b"1.0") + b"Host: $HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "unknown coding": post + b"Host: $HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "two codings": post + b"Host: $HOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "signed length": post + b"Host: $HOST\r\nContent-Length: +2\r\n\r\n{}",
        "length list": post + b"Host: $HOST\r\nContent-Length: 2, 2\r\n\r\n{}",
        "over 100 headers": b"GET / HTTP/1.1\r\nHost: $HOST\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(120)) + b"\r\n",
    }
    for name, request in cases.items():
        got = s.raw(request + tail)
        assert set(statuses(got)) == {400}, f"{name}: {got!r}" # a 200 would be the second request's


def test_targets_that_are_no_plain_path_are_refused():
    s = sample()
    for target in (b"http://$HOST/healthz", b"*", b"/%00", b"/healthz%00.html", b"/api/v1/runs/%", b"/api/v1/runs/%4", b"/api/v1/runs/%zz"):
        got = s.raw(b"GET " + target + b" HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n\r\n")
        assert statuses(got) == [400], f"{target}: {got[:200]!r}"


def test_nothing_outside_is_served():
    s = sample()
    for path in (b"/assets/../index.html", b"/assets/..%2findex.html", b"/assets/%2e%2e/%2e%2e/etc/passwd", b"/assets/..%5cindex.html", b"/..", b"/../",
                 b"//etc/passwd", b"/assets/", b"/assets/.htaccess", b"/assets//etc/passwd", b"/etc/passwd", b"/api/v1/../../healthz", b"/.git/config",
                 b"/index.html", b"/c", b"/c/", b"/c/x/nothing", b"/api/v2/collections", b"/healthz/"):
        got = s.raw(b"GET " + path + b" HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n\r\n")
        assert statuses(got) in ([404], [400]), f"{path}: {got[:200]!r}"
        assert b"root:" not in got


def test_hosts_that_are_not_ours_are_misdirected():
    s = sample()
    for host in ("evil.example", f"evil.example:{s.port}", "127.0.0.1", "127.0.0.1:1", f"localhost.evil.example:{s.port}"):
        s.ask("GET", "/healthz", headers={"Host": host}).problem(421)
    for host in (f"localhost:{s.port}", f"LOCALHOST:{s.port}", f"[::1]:{s.port}"):
        assert s.ask("GET", "/healthz", headers={"Host": host}).status == 200


def test_pages_of_other_sites_change_nothing():
    s = sample()
    for origin in ("http://evil.example", "null", f"http://localhost:{s.port}", f"http://127.0.0.1:{s.port}.evil.example"):
        s.ask("POST", "sql", {"query": "SELECT 1"}, {"Origin": origin}).problem(403)
        s.ask("DELETE", "collections/sample", headers={"Origin": origin}).problem(403)
        assert s.ask("GET", "collections", headers={"Origin": origin}).status == 200
    assert s.ask("POST", "sql", {"query": "SELECT 1"}, {"Origin": f"http://127.0.0.1:{s.port}"}).status == 200
    assert "access-control-allow-origin" not in s.ask("GET", "collections", headers={"Origin": "http://evil.example"}).headers


def test_unknown_paths_methods_and_parameters_are_named():
    s = sample()
    s.ask("GET", "/nothing").problem(404, "/nothing")
    a = s.ask("PUT", "collections")
    a.problem(405)
    assert a.headers["allow"] == "GET, HEAD, POST", a.headers
    for method in ("OPTIONS", "TRACE", "BREW"):
        s.ask(method, "collections").problem(405)
    s.ask("GET", "collections?limt=3").problem(400, "limt")
    s.ask("GET", "collections?limit=3&limit=4").problem(400, "limit")
    for bad in ("0", "1001", "x", "-1", "1.0", ""):
        s.ask("GET", f"collections/sample/runs?limit={bad}").problem(400, "limit")
    s.ask("GET", "collections/sample/runs?has_findings=maybe").problem(400, "has_findings")
    s.ask("GET", "collections/sample/export?as=pdf").problem(400, "as", "native")
    s.ask("GET", "search").problem(400, '"q"')
    s.ask("GET", "collections/sample/runs?sort=nope").problem(400, "nope")
    s.ask("GET", "collections/sample/runs?after=zzz").problem(400)
    s.ask("GET", "collections/none").problem(404)
    s.ask("GET", "collections", b"body").problem(400, "body")


def test_a_browser_gets_words_where_nothing_is_and_a_program_the_problem():
    s = sample()
    page, browser = s.ask("GET", "/"), {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for path in ("/detectors", "/runs", "/r/" + "0" * 8, "/collections/sample", "/c/", "/settings/", "/nothing?x=1", "/a/b/c/d/e/f/g/h/i/j", "//", "/etc/passwd"):
        a = s.ask("GET", path, headers=browser)
        assert a.status == 404 and b"There is nothing here" in a.body and b"<script" not in a.body and a.headers["content-type"] == page.headers["content-type"], (path, a.body[:200])
        assert a.headers["content-security-policy"].startswith("default-src 'none'") and a.headers["cache-control"] == "no-store", a.headers
        assert s.ask("HEAD", path, headers=browser).headers["content-length"] == str(len(a.body))
        for other in ({}, {"Accept": "*/*"}, {"Accept": "application/json, text/plain"}, {"Accept": "text/htmlx"}):
            s.ask("GET", path, headers=other).problem(404)
        s.ask("POST", path, b"{}", browser).problem(404)
    for path in ("/api/v1/nothing", "/api/v2/collections", "/api", "/api/v1/collections/none", "/rest/nothing", "/mcp/x", "/metrics/x", "/healthz/", "/readyz/x",
                 "/openapi.json/x"):
        s.ask("GET", path, headers=browser).problem(404)
    s.ask("GET", "/mcp", headers=browser).problem(405)
    s.ask("GET", "/%zz", headers=browser).problem(400)


def test_bodies_that_are_no_json_are_refused():
    s = sample()
    for body, word in ((b"", "query"), (b"{", "JSON"), (b"[]", "object"), (b'{"query":1}', "query"), (b'{"nope":1}', "nope"), (b'{"query":"x","query":"y"}', "JSON"),
                       (b"\xff", "JSON"), (b"[" * 100000, "JSON"), (b'{"query":null}', "query")):
        s.ask("POST", "sql", body).problem(400, word)
    s.ask("POST", "sql", b'{"query":"' + b"x" * (2 << 20) + b'"}').problem(413)
    s.ask("POST", "sql", gzip.compress(b'{"query":"SELECT 1"}'), {"Content-Encoding": "gzip"}).problem(415)
    c = http.client.HTTPConnection("127.0.0.1", s.port)
    c.request("POST", "/api/v1/sql", iter([b'{"query":"', b"x" * (2 << 20), b'"}']), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert c.getresponse().status == 413


def test_head_is_get_without_the_body():
    s = sample()
    for path in ("/", "/healthz", "/openapi.json", "/api/v1/collections", "/api/v1/collections/sample/runs?limit=2", "/api/v1/collections/sample/export", "/nothing"):
        get, head = s.ask("GET", path), s.ask("HEAD", path)
        assert head.body == b"" and head.status == get.status, path
        assert head.headers["content-length"] == str(len(get.body)), f"{path}: {head.headers} {len(get.body)}"
        assert head.headers["content-type"] == get.headers["content-type"]


def test_a_connection_is_kept_and_answers_in_order():
    s = sample()
    one = b"GET /healthz HTTP/1.1\r\nHost: $HOST\r\n\r\n"
    nope = b"GET /nothing HTTP/1.1\r\nHost: $HOST\r\n\r\n"
    sql = b"POST /api/v1/sql HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 20\r\n\r\n" + b'{"query":"SELECT 1"}'
    last = b"HEAD /api/v1/collections HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n\r\n"
    got = s.raw(one + nope + sql + one + last, close=False)
    assert statuses(got) == [200, 404, 200, 200, 200], f"{statuses(got)} {got!r}"


def test_a_large_head_is_refused():
    s = sample()
    got = s.raw(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: $HOST\r\n\r\n")
    assert statuses(got) in ([414], [431], []), got[:200]
    got = s.raw(b"GET / HTTP/1.1\r\nHost: $HOST\r\nX: " + b"a" * 100000 + b"\r\n\r\n")
    assert statuses(got) in ([431], [413], []), got[:200]
    assert s.ask("GET", "/healthz").status == 200


def test_garbage_ends_in_an_answer_or_a_close():
    s = sample()
    for junk in (b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: $HOST\r\n\r\n", b"\x00" * 1000, b"A" * 50000,
                 b"POST /api/v1/sql HTTP/1.1\r\nHost: $HOST\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"POST /api/v1/sql HTTP/1.1\r\nHost: $HOST\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
                 b"GET / HTTP/1.1\r\nHost: $HOST\r\nX\x00Y: 1\r\n\r\n"):
        got = s.raw(junk, timeout=15)
        assert all(status >= 400 for status in statuses(got)) or b"\x00" in junk, f"{junk[:40]!r}: {got[:200]!r}"
    assert s.ask("GET", "/healthz").status == 200


def test_every_answer_has_its_security_headers():
    s = sample()
    for path in ("/", "/c/sample", "/c/a%2Fb/runs", "/runs/x", "/rules", "/settings", "/api/v1/collections", "/nothing", "/metrics", "/openapi.json"):
        h = s.ask("GET", path).headers
        assert h["x-content-type-options"] == "nosniff" and h["referrer-policy"] == "no-referrer", (path, h)
        assert h["content-security-policy"].startswith("default-src 'none'") and "frame-ancestors 'none'" in h["content-security-policy"], (path, h)
        if h["content-type"].startswith("text/html"):
            policy = h["content-security-policy"]
            for part in ("script-src 'self'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "connect-src 'self'"):
                assert part in policy, policy
            assert "unsafe" not in policy
    assert s.ask("GET", "collections").headers["cache-control"] == "no-store"


def test_the_page_and_its_files_are_cached_by_what_they_hold():
    s = sample()
    page = s.ask("GET", "/")
    assert page.headers["content-type"].startswith("text/html") and b"<script" in page.body
    assert s.ask("GET", "/c/whatever").body == page.body
    assert s.ask("GET", "/c/whatever/runs?model=a&own=state#x").body == page.body
    again = s.ask("GET", "/", headers={"If-None-Match": page.headers["etag"]})
    assert again.status == 304 and again.body == b""
    assets = re.findall(rb'"(/assets/[^"]+)"', page.body)
    assert assets, page.body
    for asset in assets:
        plain = s.ask("GET", asset.decode())
        assert plain.status == 200 and "immutable" in plain.headers["cache-control"], plain.headers
        packed = s.ask("GET", asset.decode(), headers={"Accept-Encoding": "gzip"})
        if packed.headers.get("content-encoding") == "gzip":
            assert gzip.decompress(packed.body) == plain.body
            assert packed.headers["content-type"] == plain.headers["content-type"] and packed.headers["etag"] != plain.headers["etag"]


def test_the_page_can_come_from_a_folder():
    import os
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "assets"))
        with open(os.path.join(folder, "index.html"), "w") as f:
            f.write("<p>mine</p>")
        with open(os.path.join(folder, "assets", "a.js"), "w") as f:
            f.write("1")
        os.symlink("/etc/passwd", os.path.join(folder, "assets", "link"))
        with Server("--web-dir", folder) as s:
            assert s.ask("GET", "/").body == b"<p>mine</p>"
            assert s.ask("GET", "/assets/a.js").body == b"1"
            for path in ("/assets/link", "/assets/none.js", "/assets/..%2F..%2Fetc%2Fpasswd"):
                s.ask("GET", path).problem(404)


def test_listening_on_ipv6_and_on_a_taken_port():
    import socket
    import subprocess
    from server import PROGRAM
    s = sample()
    done = subprocess.run([PROGRAM, "--db", s.db, "serve", "--listen", f"127.0.0.1:{s.port}"], capture_output=True, timeout=20)
    assert done.returncode == 3 and b"in use" in done.stderr, done
    done = subprocess.run([PROGRAM, "--db", s.db, "serve", "--listen", "8787"], capture_output=True, timeout=20)
    assert done.returncode == 2, done
    if socket.has_ipv6:
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            p = subprocess.Popen([PROGRAM, "--db", folder + "/t.db", "serve", "--listen", "[::1]:0"], stderr=subprocess.PIPE)
            line = p.stderr.readline().decode()
            try:
                assert line.startswith("listening on http://[::1]:"), line
                port = int(line.rsplit(":", 1)[1])
                with socket.create_connection(("::1", port), timeout=5) as c:
                    c.sendall(b"GET /healthz HTTP/1.1\r\nHost: [::1]:%d\r\nConnection: close\r\n\r\n" % port)
                    assert c.recv(100).startswith(b"HTTP/1.1 200")
            finally:
                p.terminate()
                p.wait(15)


def test_behind_a_proxy_the_client_and_its_names_are_known():
    def clients(s):
        return [json.loads(line).get("client") for line in s.said(1 << 30).splitlines() if '"message":"request"' in line]

    forwarded = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7", "X-Forwarded-Proto": "https", "Host": "telltale.example.org"}
    with Server("--log", "json", "--behind-proxy", "loopback", "--host", "telltale.example.org", "--insecure") as s:
        assert s.ask("GET", "collections", headers=forwarded).status == 200
        here = {**forwarded, "Origin": "https://telltale.example.org"}
        assert s.ask("POST", "sql", {"query": "SELECT 1"}, here).status == 200
        s.ask("POST", "sql", {"query": "SELECT 1"}, {**here, "Origin": "http://telltale.example.org"}).problem(403)  # it came by https
        s.ask("GET", "collections", headers={"Host": "evil.example"}).problem(421)
        s.stop()
        assert sorted(clients(s)) == ["127.0.0.1"] + ["192.0.2.7"] * 3, clients(s)  # logged when each connection is done, in any order
    with Server("--log", "json", "--behind-proxy", "192.0.2.1", "--insecure") as s:  # another's word is nothing
        assert s.ask("GET", "collections", headers={"X-Forwarded-For": "192.0.2.7"}).status == 200
        s.stop()
        assert clients(s) == ["127.0.0.1"], clients(s)


def test_each_oddity_of_the_wire_has_one_meaning():
    """Every case is followed by a request of its own: its answer is there exactly when the first one ended where it should."""
    s = sample()
    get, post = b"GET /healthz HTTP/1.1\r\n", b"POST /nothing HTTP/1.1\r\nHost: $HOST\r\n"
    chunked = post + b"Transfer-Encoding: chunked\r\n\r\n"
    tail = b"GET /healthz HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n\r\n"
    cases = {
        # what the library lets through, as web/docs/network.md says
        "bare LF": (b"GET /healthz HTTP/1.1\nHost: $HOST\n\n", [200, 200]),
        "a folded header": (get + b"Host: $HOST\r\nX: a\r\n b\r\n\r\n", [200, 200]),
        "NUL in a value": (get + b"Host: $HOST\r\nX: a\0b\r\n\r\n", [200, 200]),
        "empty lines first": (b"\r\n\r\n" + get + b"Host: $HOST\r\n\r\n", [200, 200]),
        # and what it does not
        "CR in a value": (get + b"Host: $HOST\r\nX: a\rContent-Length: 5\r\n\r\n", [400]),
        "a control character in a value": (get + b"Host: $HOST\r\nX: a\x0bb\r\n\r\n", [400]),
        "a space before the colon": (get + b"Host : $HOST\r\n\r\n", [400]),
        "a space before the name": (get + b" Host: $HOST\r\n\r\n", [400]),
        "no colon": (get + b"Host: $HOST\r\nfoo\r\n\r\n", [400]),
        "bytes over 127 in a name": (get + b"Host: $HOST\r\nX\xe9: 1\r\n\r\n", [400]),
        "userinfo in Host": (get + b"Host: evil@$HOST\r\n\r\n", [421]),
        "two names in Host": (get + b"Host: $HOST, evil\r\n\r\n", [421]),
        "HTTP/0.9": (b"GET /healthz\r\n\r\n", [400]),
        "HTTP/1.10": (b"GET /healthz HTTP/1.10\r\nHost: $HOST\r\n\r\n", [400]),
        "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505]),
        "an upgrade": (get + b"Host: $HOST\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", [200, 200]),
        "a method in small letters": (b"get /healthz HTTP/1.1\r\nHost: $HOST\r\n\r\n", [405, 200]),
        "CONNECT": (b"CONNECT evil.example:80 HTTP/1.1\r\nHost: $HOST\r\n\r\n", [400, 200]),
        "another server's absolute form": (b"GET http://evil.example/healthz HTTP/1.1\r\nHost: $HOST\r\n\r\n", [400, 200]),
        "a body that nobody asked for": (get + b"Host: $HOST\r\nContent-Length: 5\r\n\r\nhello", [400, 200]),
        "a chunk's extension": (chunked + b"5;a=b\r\nhello\r\n0\r\n\r\n", [404, 200]),
        "a trailer": (chunked + b"5\r\nhello\r\n0\r\nHost: evil.example\r\nContent-Length: 3\r\n\r\n", [404, 200]),
        "0x before a chunk's size": (chunked + b"0x5\r\nhello\r\n0\r\n\r\n", [400]),
        "a chunk of size -5": (chunked + b"-5\r\nhello\r\n0\r\n\r\n", [400]),
        "a chunk of size +5": (chunked + b"+5\r\nhello\r\n0\r\n\r\n", [400]),
        "a chunk without size": (chunked + b"\r\nhello\r\n0\r\n\r\n", [400]),
        "a chunk longer than it says": (chunked + b"5\r\nhelloXX0\r\n\r\n", [400]),
        "chunked twice": (post + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", [400]),
        "chunked in quotes": (post + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', [400]),
        "chunked behind a VT": (post + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", [400]),
        "identity": (post + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", [400]),
        "an expectation": (post + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello", [404]),  # and the connection is closed: the body may come or not
    }
    wrong = []
    for name, (request, wanted) in cases.items():
        got = statuses(s.raw(request + tail, timeout=5, close=False))
        if got != wanted:
            wrong.append(f"{name}: {got}, not {wanted}")
    assert not wrong, "\n".join(wrong)


def test_a_length_that_is_no_number_ends_the_connection():
    """As web/docs/network.md says: the library's own answer, whose head 0.9.75 sends twice, and nothing behind it."""
    s = sample()
    tail = b"GET /healthz HTTP/1.1\r\nHost: $HOST\r\n\r\n"
    for length, status in {b"-1": 400, b"+2": 400, b"abc": 400, b"0x5": 400, b"5 0": 400, b"": 400, b"18446744073709551616": 413, b"9" * 30: 413}.items():
        got = s.raw(b"POST /nothing HTTP/1.1\r\nHost: $HOST\r\nContent-Length: " + length + b"\r\n\r\n" + tail, close=False)
        *heads, body = got.split(b"\r\n\r\n")
        assert len(heads) in (1, 2) and body.startswith(b"<html>") and body.endswith(b"</html>"), got
        for head in heads:
            assert head.startswith(b"HTTP/1.1 %d " % status) and b"\r\nConnection: close\r\n" in head and head == heads[0], got
