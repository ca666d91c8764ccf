#!/usr/bin/env python3
"""Hours in minutes: a server that is used by many in every way, killed, short of disk, attacked, with a ledger of what it acknowledged.

usage: run.py PROGRAM [SECONDS]      also with a program built with BUILD=asan or tsan

Each other file of this folder with a main(program, seconds) is a part, which gives an exit status, or raises, where it finds a fault; what it puts in its
`figures` is added up for the end. Mixed load has two thirds of the time, the others share the rest.
"""
import collections
import importlib
import os
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1", "TSAN_OPTIONS": "halt_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}


def main():
    program, seconds = os.path.abspath(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1800
    for name, options in SANITIZERS.items():
        os.environ[name] = ":".join(filter(None, (options, os.environ.get(name))))
    modules = [importlib.import_module(file[:-3]) for file in sorted(os.listdir(HERE)) if file.endswith(".py") and file != os.path.basename(__file__)]
    parts = sorted((m for m in modules if hasattr(m, "main")), key=lambda m: m.__name__ != "mixed")
    outcomes, figures = [], collections.Counter()
    for part in parts:
        began = time.monotonic()
        try:
            good = not part.main(program, seconds * 2 / 3 if part.__name__ == "mixed" else seconds / 3 / (len(parts) - 1))
        except (Exception, SystemExit) as e:
            good = False
            print(f"{part.__name__}: {type(e).__name__}: {e}", flush=True)
        figures.update(getattr(part, "figures", {}))
        outcomes.append(good)
        print(f"{part.__name__}: {'passed' if good else 'FAILED'} in {time.monotonic() - began:.0f} s", flush=True)
    for name, figure in figures.items():
        print(f"{name:40s} {round(figure, 2):>12,}")
    print(f"{sum(outcomes)} passed, {len(outcomes) - sum(outcomes)} failed")
    return int(not all(outcomes))


if __name__ == "__main__":
    sys.exit(main())
