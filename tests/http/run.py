#!/usr/bin/env python3
"""The server over real connections: the real program, real HTTP.

usage: run.py PROGRAM [NAME...]      a test is a function named test_* in test_*.py; with NAMEs only those run
"""
import importlib
import os
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import server

MODULES = ("test_wire", "test_access", "test_tls", "test_slow", "test_api", "test_tasks", "test_uploads", "test_append", "test_otlp", "test_langfuse", "test_send", "test_docent", "test_secrets", "test_judges", "test_judging", "test_labels", "test_exceptions", "test_compare", "test_query", "test_bound_sql", "test_mcp", "test_webhooks", "test_jobs", "test_running", "test_stop")


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
    try:
        server.end_sample()
    except Exception as e:
        failed += 1
        print(f"FAILED the shared server: {e}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
