"""The same server over TLS."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import warnings

from server import PROGRAM, Server, chat, jsonl, statuses

_folder = tempfile.TemporaryDirectory(prefix="telltale-tls-")


def pair(name, folder=None):
    """A key and the certificate that it signed for itself: (certificate, key)."""
    cert, key = (os.path.join(folder or _folder.name, name + end) for end in (".crt", ".key"))
    if not os.path.exists(cert):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                        "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return cert, key


def serve(*options, name="server"):
    cert, key = pair(name)
    return Server("--tls-cert", cert, "--tls-key", key, *options, ca=cert)


def version(s, **how):
    """The protocol that a client with these settings agrees on, or None."""
    context = ssl.create_default_context(cafile=pair("server")[0])
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):  # of versions that nobody should speak
        for name, value in how.items():
            setattr(context, name, value)
    try:
        with socket.create_connection(("127.0.0.1", s.port), timeout=5) as c, context.wrap_socket(c, server_hostname="127.0.0.1") as t:
            return t.version()
    except OSError:
        return None


def test_everything_goes_over_tls_and_nothing_beside_it():
    with serve() as s:
        s.collection()
        big = jsonl(chat(f"r{i}", "lorem ipsum " * 20000) for i in range(40))
        assert s.upload(big)["state"] == "done"
        assert len(s.ask("GET", "collections/c/export").body) > len(big)  # longer than any buffer on the way
        one = b"GET /healthz HTTP/1.1\r\nHost: $HOST\r\n\r\n"
        sql = b"POST /api/v1/sql HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 20\r\n\r\n" + b'{"query":"SELECT 1"}'
        last = b"GET /api/v1/collections HTTP/1.1\r\nHost: $HOST\r\nConnection: close\r\n\r\n"
        assert statuses(s.raw(one + sql + one + last, close=False)) == [200, 200, 200, 200]
        # a page that did not come by https may not write by https
        here = f"127.0.0.1:{s.port}"
        s.ask("POST", "sql", {"query": "SELECT 1"}, {"Origin": "http://" + here}).problem(403)
        assert s.ask("POST", "sql", {"query": "SELECT 1"}, {"Origin": "https://" + here}).status == 200
        s.ask("GET", "/healthz", headers={"Host": "evil.example"}).problem(421, "evil.example", "--host")
        v = ssl.TLSVersion
        assert version(s) == "TLSv1.3"
        assert version(s, maximum_version=v.TLSv1_2) == "TLSv1.2"
        for old in (v.TLSv1_1, v.TLSv1):
            assert version(s, minimum_version=v.TLSv1, maximum_version=old) is None
        with socket.create_connection(("127.0.0.1", s.port), timeout=5) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            try:
                assert not plain.recv(1000).startswith(b"HTTP"), "an answer without TLS"
            except ConnectionResetError:
                pass
        s.stop()


def test_import_to_a_server_with_a_certificate_of_its_own():
    with serve() as s, tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "a.jsonl")
        with open(source, "w") as f:
            f.write(jsonl([chat("r", "go")]))

        def send(scheme, *options):
            done = subprocess.run([PROGRAM, "import", source, "-c", "c", "--to", f"{scheme}://localhost:{s.port}", *options], capture_output=True, timeout=20, text=True)
            return done.returncode, done.stderr

        code, said = send("https")
        assert code and "--cacert" in said, said
        began = time.monotonic()
        code, said = send("http")
        assert code and "https://" in said and time.monotonic() - began < 10, said
        code, said = send("https", "--cacert", pair("server")[0])
        assert code == 0 and s.get("collections/c")["runs"] == 1, said


def test_what_nobody_waits_for_is_broken_off_under_tls():
    endless = b'{"query": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"}'
    with serve() as s:
        s.collection()
        s.upload(jsonl([chat("r", "needle")]))
        abandoned = [s.connect() for _ in range(4)]
        for c in abandoned:
            c.sendall(f"POST /api/v1/sql HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\nContent-Length: {len(endless)}\r\n\r\n".encode() + endless)
        time.sleep(0.3)
        for c in abandoned:
            try:
                c.settimeout(0.05)
                c.unwrap()  # says goodbye: its last word stands unread before the end
            except OSError:
                pass
            c.close()
        began = time.monotonic()
        assert s.get("search", q="needle")["items"]
        took = time.monotonic() - began
        assert took < 1.5, f"after four queries that were abandoned a search takes {took:.2f} s"


def test_a_certificate_that_is_none_is_named():
    cert, key = pair("server")
    other = pair("other")[1]
    with tempfile.TemporaryDirectory() as folder:
        for options, status, word in ((["--tls-cert", cert], 2, "both"), (["--tls-key", key], 2, "both"),
                                      (["--tls-cert", folder + "/none", "--tls-key", key], 3, "/none"),
                                      (["--tls-cert", key, "--tls-key", key], 1, "certificate"), (["--tls-cert", cert, "--tls-key", cert], 1, "key"),
                                      (["--tls-cert", cert, "--tls-key", "/dev/null"], 1, "/dev/null"),
                                      (["--tls-cert", cert, "--tls-key", other], 1, "is not the key")):
            done = subprocess.run([PROGRAM, "--db", folder + "/t.db", "serve", "--listen", "127.0.0.1:0", *options], capture_output=True, timeout=20)
            assert done.returncode == status and word in done.stderr.decode(), (options, done)


def test_a_renewed_certificate_is_shown_without_a_restart():
    def shown():
        with s.connect() as c:
            return dict(part[0] for part in c.getpeercert()["subject"])["commonName"]

    def reload(words):
        before = s.said(1 << 30).count(words)
        s.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 10
        while s.said(1 << 30).count(words) == before:
            assert time.monotonic() < until, s.said()
            time.sleep(0.02)

    with tempfile.TemporaryDirectory() as folder:
        cert, key = os.path.join(folder, "cert"), os.path.join(folder, "key")

        def put(name):
            for source, target in zip(pair(name), (cert, key)):
                shutil.copy(source, target)

        put("server")
        with Server("--tls-cert", cert, "--tls-key", key, ca=cert) as s:
            old = s.connect()
            assert shown() == "server"
            put("other")
            reload("were read again")
            s.tls.load_verify_locations(cert)
            assert shown() == "other"
            old.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\n\r\n".encode())
            assert old.recv(100).startswith(b"HTTP/1.1 200")  # the session that was there goes on
            old.close()
            shutil.copy(pair("server")[0], cert)  # and its key does not come with it
            reload("is not the key of the certificate")
            assert shown() == "other"
