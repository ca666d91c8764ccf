#!/usr/bin/env python3
"""Files that are small and want to be large: each ends in an answer, within bounded memory, disk and time.

usage: bombs.py PROGRAM [NAME...]       each bomb is thrown once; as a part of the soak as many as its time allows, in another order each day
"""
import bz2
import gzip
import io
import lzma
import os
import random
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
import zlib

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "http")]

MEMORY = 3 << 29   # bytes that the server may ever have grown to
DISK = 10 << 30    # bytes that the spool may hold at one time
EACH = 120         # seconds
ZERO = b"\0" * (1 << 20)
LINE = b'{"id":"a","messages":[{"role":"user","content":"' + b" " * (1 << 20) + b'"}]}\n'


def packed(pack, piece, megabytes):
    return b"".join(pack.compress(piece) for _ in range(megabytes)) + pack.flush()


def zstd(megabytes, piece=ZERO, *options):
    p = subprocess.Popen(["zstd", "-q", "-c", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    feeder = threading.Thread(target=lambda: ([p.stdin.write(piece) for _ in range(megabytes)], p.stdin.close()))
    feeder.start()
    out = p.stdout.read()
    feeder.join()
    p.wait()
    return out


def zipped(*members, how=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as z:
        for name, content in members:
            z.writestr(name, content)
    return out.getvalue()


def nested(depth, wide, core):
    """A zip of `wide` zips of … of `core`, as 42.zip has it."""
    content, name = core, "0.jsonl"
    for _ in range(depth):
        content = zipped(*((f"{i}-{name}", content) for i in range(wide)))
        name = "lib.zip"
    return content


def overlapping(members, megabytes):
    """A zip whose directory names the same compressed bytes again and again."""
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packed(body, LINE, megabytes)
    size = megabytes * len(LINE)
    crc = 0
    for _ in range(megabytes):
        crc = zlib.crc32(LINE, crc)
    local = struct.pack("<IHHHHHIIIHH", 0x04034b50, 20, 0, 8, 0, 0, crc, len(data), size, 7, 0) + b"a.jsonl" + data
    entries = b"".join(struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 20, 20, 0, 8, 0, 0, crc, len(data), size, 7, 0, 0, 0, 0, 0, 0) + b"a.jsonl"
                       for _ in range(members))
    return local + entries + struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, members, members, len(entries), len(local), 0)


def tarred(header_size, content=b""):
    info = tarfile.TarInfo("a.jsonl")
    info.size = header_size
    return info.tobuf(tarfile.GNU_FORMAT) + content


def many_members(n):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for i in range(n):
            t.addfile(tarfile.TarInfo(f"{i}.jsonl"))
    return gzip.compress(out.getvalue(), 6)


def sparse_tar():
    """GNU sparse: a header that says eight exabytes of holes."""
    info = tarfile.TarInfo("a.jsonl")
    info.type, info.size = b"S", 512
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386:398], block[398:410] = b"00000000000\0", b"00000001000\0"
    block[483:495] = b"\x80\0\0\0\x7f" + b"\xff" * 7
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"x" * 512 + b"\0" * 1024


# Name, how it is made, the file's name, and the Content-Encoding it is sent with (else it is a file).
figures = {} # for the end of the soak
BOMBS = (
    ("zstd body, 2 GB", lambda: zstd(2048), "a.jsonl", "zstd"),
    ("zstd body, a window of 128 MB", lambda: zstd(300, ZERO, "--long=27"), "a.jsonl", "zstd"),
    ("gzip body, 1 GB", lambda: packed(zlib.compressobj(9, zlib.DEFLATED, 31), ZERO, 1024), "a.jsonl", "gzip"),
    ("gzip body of gzip members", lambda: gzip.compress(b"", 9) * 2000000, "a.jsonl", "gzip"),
    ("zstd body of empty frames", lambda: zstd(0) * 3000000, "a.jsonl", "zstd"),
    ("zstd body of one JSON text, 400 MB", lambda: zstd(400, b" " * (1 << 20)), "a.jsonl", "zstd"),
    ("zstd file, 8 GB", lambda: zstd(8192), "a.jsonl.zst", None),
    ("zstd file, a window of 2 GB", lambda: zstd(300, ZERO, "--long=31", "--ultra", "-1"), "a.jsonl.zst", None),
    ("gzip file, 4 GB", lambda: packed(zlib.compressobj(9, zlib.DEFLATED, 31), ZERO, 4096), "a.jsonl.gz", None),
    ("gzip file of transcripts, 1 GB", lambda: packed(zlib.compressobj(9, zlib.DEFLATED, 31), LINE, 1024), "a.jsonl.gz", None),
    ("bzip2 file, 1 GB", lambda: packed(bz2.BZ2Compressor(9), ZERO, 1024), "a.jsonl.bz2", None),
    ("xz file, 1 GB", lambda: packed(lzma.LZMACompressor(preset=1), ZERO, 1024), "a.jsonl.xz", None),
    ("gzip in gzip in gzip", lambda: gzip.compress(gzip.compress(packed(zlib.compressobj(9, zlib.DEFLATED, 31), ZERO, 4096))), "a.jsonl.gz.gz.gz", None),
    ("zip of one member, 1 GB", lambda: zipped(("a.jsonl", b"\0" * (1 << 30))), "a.zip", None),
    ("zip in zip, 6 deep, 16 wide", lambda: nested(6, 16, b"\0" * (100 << 20)), "a.zip", None),
    ("zip whose members overlap, 60 GB", lambda: overlapping(60000, 1), "a.zip", None),
    ("zip of 300,000 empty members", lambda: zipped(*((f"{i}.jsonl", b"") for i in range(300000))), "a.zip", None),
    ("zip named .eval, 1 GB", lambda: zipped(("header.json", b'{"version":2,"eval":{}}'), ("samples/1_epoch_1.json", b'{"id":"' + b" " * (1 << 30))), "a.eval", None),
    ("tar of 500,000 empty members", lambda: many_members(500000), "a.tar.gz", None),
    ("tar that says 8 exabytes", lambda: tarred((1 << 63) - 1, b"{}"), "a.tar", None),
    ("tar of holes", sparse_tar, "a.tar", None),
    ("JSON, 20 million arrays deep", lambda: b"[" * 20000000, "a.json", None),
    ("JSON of 20 million numbers", lambda: b"[" + b"1," * 20000000 + b"1]", "a.json", None),
    ("JSON with a million keys alike", lambda: b'{"messages":{' + b'"a":1,' * 1000000 + b'"a":1}}', "a.json", None),
    ("JSON of a million messages", lambda: b'{"id":"a","messages":[' + b'{"role":"user","content":"."},' * 1000000 + b'{"role":"user","content":"."}]}', "a.json", None),
    ("JSON lines of a million messages", lambda: b'{"type":"user","sessionId":"s","message":{"role":"user","content":"hi"}}\n' * 1000000, "a.jsonl", None),
    ("JSON of one text of 200 MB", lambda: b'{"messages":[{"role":"user","content":"' + b"a" * (200 << 20) + b'"}]}', "a.json", None),
    ("JSON that is one number of 100 MB", lambda: b'{"messages":' + b"1" * (100 << 20) + b"}", "a.json", None),
    ("CSV of 2 million columns", lambda: b",".join(b"c%d" % i for i in range(2000000)) + b"\n" + b"1," * 1999999 + b"1\n", "a.csv", None),
    ("CSV of an open quote", lambda: b'role,content\nuser,"' + b'""a,\n' * 2000000, "a.csv", None),
    ("a line of 300 MB", lambda: b"a" * (300 << 20), "a.log", None),
)


def peak(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:")) << 10


def held(folder):
    """Bytes on disk below a folder."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(at, name)).st_blocks * 512
            except OSError:
                pass
    return total


def throw(s, name, bomb, filename, coding):
    """What came of it, in a word, and the most that the spool held meanwhile."""
    from server import COST
    most, ending = [0], threading.Event()

    def look():
        while not ending.wait(0.1):
            most[0] = max(most[0], held(s.db + ".spool"))

    watching = threading.Thread(target=look)
    watching.start()
    try:
        a = s.ask("POST", f"collections/c/uploads?filename={filename}&wait=60", bomb, {"Content-Encoding": coding} if coding else {}, timeout=EACH)
        if a.status >= 400:
            return f"{a.status}: {a.json()['detail']}", most[0]
        job = a.json()["id"]
        until = time.monotonic() + EACH * COST
        while (state := s.get(f"jobs/{job}", wait=60))["state"] in ("queued", "running"):
            assert time.monotonic() < until, f"{name}: still {state['state']} after {EACH * COST} s"
        errors = (state["result"] or {}).get("errors") or [state.get("error") or {}]
        return f"{state['state']}: {(errors[0] or {}).get('message')}", most[0]
    finally:
        ending.set()
        watching.join()


def main(binary, seconds=0, words=()):
    sys.argv[1:] = [binary]
    from idle import Probe
    from server import COST, Server
    chosen = [bomb for bomb in BOMBS if not words or any(word in bomb[0] for word in words)]
    until = time.monotonic() + seconds
    if seconds:
        random.Random(time.strftime("%F")).shuffle(chosen)
    for name, make, filename, coding in chosen:
        if seconds and time.monotonic() > until:
            break
        bomb = make()
        with Server() as s:
            s.collection()
            probe = Probe(s)
            began = time.monotonic()
            outcome, disk = throw(s, name, bomb, filename, coding)
            took, memory, slowest = time.monotonic() - began, peak(s.process.pid), probe.end()
            print(f"{name:36s} {len(bomb) / 1024:9.0f} KB {took:6.1f} s {memory >> 20:5d} MB, on disk {disk >> 20:5d} MB, slowest probe {slowest:.2f} s  "
                  f"{outcome[:110]}", flush=True)
            assert took < EACH * COST and memory < MEMORY * COST and disk < DISK, name
            assert s.spool() == [], f"{name} left {s.spool()}"
        figures["bad inputs"] = figures.get("bad inputs", 0) + 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], words=sys.argv[2:]))
