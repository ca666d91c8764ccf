#!/usr/bin/env python3
"""Nothing is lost: what `telltale check` sees, what `telltale backup` keeps, faults, upgrades, clocks. The real program, real files.

usage: run.py PROGRAM [NAME...]      a test is a function named test_* in test_*.py; with NAMEs only those run
"""
import importlib
import os
import sys
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "http")]

MODULES = ("test_check", "test_backup", "test_faults", "test_upgrade")


def main():
    wanted = sys.argv[2:]
    passed = failed = 0
    for module in map(importlib.import_module, MODULES):
        for name, test in list(vars(module).items()):
            if not name.startswith("test_") or (wanted and name not in wanted):
                continue
            began = time.monotonic()
            try:
                test()
                passed += 1
            except Exception as e:
                failed += 1
                where = traceback.extract_tb(e.__traceback__)
                line = next((f for f in reversed(where) if os.path.basename(f.filename).startswith("test_")), where[-1])
                print(f"FAILED {name} ({os.path.basename(line.filename)}:{line.lineno}): {type(e).__name__}: {e}", flush=True)
            if wanted:
                print(f"{name}: {time.monotonic() - began:.1f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
