#!/usr/bin/env python3
"""slowhttptest's attacks, while a client that asks for something real must get its answer within a second.

usage: slow.py PROGRAM [SECONDS]       slow heads (-H), slow bodies (-B), slow readers (-X), ranges (-R); SECONDS together
"""
import os
import re
import resource
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "http")]

CONNECTIONS = 4000
ATTACKS = {
    "slow heads": ["-H", "-i", "2", "-x", "24"],
    "slow bodies": ["-B", "-i", "2", "-s", "65536", "-x", "10", "-t", "POST", "-f", "application/octet-stream"],
    "slow readers": ["-X", "-w", "512", "-y", "1024", "-n", "2", "-z", "32", "-k", "3"],
    "ranges": ["-R", "-a", "1", "-b", "3000", "-t", "HEAD"],
}


def main(binary, seconds=60):
    sys.argv[1:] = [binary]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    from idle import Probe, resident
    from server import Server, chat, jsonl
    with Server() as s:
        s.collection()
        s.upload(jsonl(chat(f"r{i}", "lorem ipsum " * 50000) for i in range(20)))
        paths = {"slow bodies": "/api/v1/collections/c/uploads", "slow readers": "/api/v1/collections/c/export"}
        for name, options in ATTACKS.items():
            before = resident(s.process.pid)
            probe = Probe(s)
            done = subprocess.run(["slowhttptest", *options, "-c", str(CONNECTIONS), "-r", "1000", "-l", str(max(5, int(seconds / len(ATTACKS)))), "-p", "1",
                                   "-u", f"http://127.0.0.1:{s.port}{paths.get(name, '/')}"],
                                  capture_output=True, text=True, timeout=seconds + 60)
            slowest, asked = probe.end(), probe.asked
            said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
            assert "slow HTTP test" in said, done
            last = said[said.rindex("slow HTTP test"):]
            counts = {word: int(number) for word, number in re.findall(r"(initializing|pending|connected|error|closed):\s+(\d+)", last)}
            print(f"{name:12s} {CONNECTIONS} connections: {counts.get('closed', 0)} closed, {counts.get('connected', 0)} left; memory "
                  f"+{(resident(s.process.pid) - before) / 2**20:.0f} MB; slowest of {asked} probes {slowest:.3f} s", flush=True)
            assert "service available:   YES" in last, last
        assert s.spool() == [], "half uploads are left"
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60))
