#!/usr/bin/env python3
"""Nothing is lost: what `telltale check` sees, what `telltale backup` keeps, faults, upgrades, clocks. The real program, real files.

usage: run.py PROGRAM [NAME...]      a test is a function named test_* in test_*.py; with NAMEs only those run
"""
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "http")]
from runner import run

MODULES = ("test_check", "test_backup", "test_faults", "test_upgrade")


if __name__ == "__main__":
    sys.exit(run(MODULES))
