#!/usr/bin/env python3
"""The server over real connections: the real program, real HTTP.

usage: run.py PROGRAM [NAME...]      a test is a function named test_* in test_*.py; with NAMEs only those run
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from runner import run
from server import end_sample

MODULES = ("test_wire", "test_access", "test_tls", "test_slow", "test_fair", "test_api", "test_tasks", "test_uploads", "test_append", "test_otlp", "test_langfuse", "test_send", "test_docent", "test_secrets", "test_judges", "test_judging", "test_labels", "test_exceptions", "test_compare", "test_query", "test_bound_sql", "test_mcp", "test_webhooks", "test_jobs", "test_running", "test_stop")


if __name__ == "__main__":
    sys.exit(run(MODULES, end_sample))
