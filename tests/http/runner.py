"""Runs tests: functions named test_* in modules."""
import importlib
import os
import sys
import time
import traceback


def run(modules, end=None):
    """With names behind the program's on the command line only those run. `end` is called at the end, and may fail too. Gives the exit status."""
    wanted = sys.argv[2:]
    passed = failed = 0
    for module in map(importlib.import_module, modules):
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
        if end:
            end()
    except Exception as e:
        failed += 1
        print(f"FAILED {end.__name__}: {e}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
