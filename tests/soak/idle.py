#!/usr/bin/env python3
"""Ten thousand connections that do nothing, and a client that still gets its answers.

usage: idle.py PROGRAM [SECONDS]       silent connections, then connections kept alive after an answer, then ones with half a head; some over TLS
"""
import os
import resource
import ssl
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "http"))

CONNECTIONS = 10000
TLS_CONNECTIONS = 500  # each takes 30 ms to agree on keys, and one that idles is closed after 30 s
SLOWEST = 1.0        # seconds that a probe may take at most
MEMORY = 400 << 20   # bytes that the server may grow by


def resident(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def busy(pid):
    """Seconds of processor time, ever."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Probe:
    """Asks something real again and again, on new connections; knows the slowest answer."""

    def __init__(self, server):
        self.server, self.slowest, self.asked, self.failed, self.ending = server, 0, 0, [], False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ending:
            began = time.monotonic()
            try:
                status = self.server.ask("GET", "collections", timeout=20).status
                if status != 200:
                    self.failed.append(status)
            except OSError as e:
                self.failed.append(repr(e))
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.asked += 1
            time.sleep(0.05)

    def end(self):
        from server import COST
        self.ending = True
        self.thread.join()
        assert not self.failed, f"{len(self.failed)} of {self.asked} probes failed: {self.failed[:3]}"
        assert self.slowest < SLOWEST * COST, f"the slowest of {self.asked} probes took {self.slowest:.2f} s"
        return self.slowest


def still_open(connections):
    """How many of them the server has not closed; what it said is read and thrown away."""
    n = 0
    for c in connections:
        try:
            while c.recv(65536):
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            n += 1
        except OSError:
            pass
    return n


def hold(server, name, count, head, seconds):
    """Opens `count` connections, says `head` on each, holds them for `seconds`."""
    from server import COST
    pid = server.process.pid
    before, worked = resident(pid), busy(pid)
    probe = Probe(server)
    began = time.monotonic()
    connections = []
    for _ in range(count):
        c = server.connect(timeout=20)
        c.sendall(head)
        c.setblocking(False)
        connections.append(c)
    opened = time.monotonic() - began
    time.sleep(max(0.0, min(seconds, 3)))
    most, held = resident(pid) - before, still_open(connections)
    time.sleep(max(0.0, seconds - 3))
    share = (busy(pid) - worked) / (time.monotonic() - began)
    for c in connections:
        c.close()
    slowest = probe.end()
    print(f"{name:12s} {count} connections in {opened:.1f} s, {held} held at one time; memory +{most / 2**20:.0f} MB "
          f"({most / max(held, 1) / 1024:.1f} KB each), {100 * share:.0f} % of a processor; slowest of {probe.asked} probes {slowest:.3f} s", flush=True)
    assert most < MEMORY * COST, f"{most >> 20} MB"
    return held


def main(binary, seconds=60):
    sys.argv[1:] = [binary]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    import test_tls
    from server import COST, Server
    many = CONNECTIONS // COST # as can be greeted before the first are closed
    with Server() as s:
        each = max(4, seconds / 3)
        kept = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\n\r\n".encode()
        hold(s, "silent", many, b"", min(each, 8))
        held = hold(s, "kept alive", many, kept, each)
        assert held > many * 0.9, f"only {held} were held"
        hold(s, "half a head", many, kept[:-2], min(each, 8))
        assert s.get("collections")["items"] == []
    with test_tls.serve() as s:
        kept = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\n\r\n".encode()
        held = hold(s, "TLS", TLS_CONNECTIONS // COST, kept, 4)
        assert held > TLS_CONNECTIONS // COST * 0.9, f"only {held} were held"
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60))
