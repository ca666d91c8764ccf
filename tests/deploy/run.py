#!/usr/bin/env python3
"""What stands around the program on a server: units, manual page, completion, what watches it.

usage: run.py PROGRAM [NAME...]      a test is a function named test_*; with NAMEs only those run
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "http"))
from runner import run
from server import PROGRAM, Server

DEPLOY = os.path.join(ROOT, "deploy")
UNITS = os.path.join(DEPLOY, "systemd")


def said(*command, status=0, **kw):
    done = subprocess.run(command, capture_output=True, timeout=60, **kw)
    assert done.returncode == status, f"{command}: exit {done.returncode}\n{done.stdout[-2000:]!r}\n{done.stderr[-2000:]!r}"
    return done.stdout.decode() + done.stderr.decode()


def text(*path):
    with open(os.path.join(ROOT, *path)) as file:
        return file.read()


# ---- the manual page ----------------------------------------------------------------------------------------------------

def test_the_manual_page_is_well_formed_and_says_all_that_help_says():
    source = said(PROGRAM, "man")
    with tempfile.NamedTemporaryFile("w", suffix=".1") as file:
        file.write(source)
        file.flush()
        said("mandoc", "-T", "lint", "-W", "warning", file.name)
        page = re.sub(r".\x08", "", said("mandoc", "-T", "utf8", file.name))
    told = "".join(page.split())
    commands = re.findall(r"^  (\S+) +\S", said(PROGRAM, "--help").split("--db")[0], re.M)
    assert len(commands) > 20, commands
    options = 0
    for command in commands:
        assert f"telltale{command}" in told, command
        for line in said(PROGRAM, command, "--help").splitlines():
            option = re.match(r" +(-. ?,? ?)?(--[a-z-]+)( \S+)? {2,}(.*)|  (-., )?(--[a-z-]+)( \S+)? (.*)", line)
            if option:
                options += 1
                name, about = option[2] or option[6], option[4] or option[8]
                assert name in told and "".join(about.split()) in told, (command, line)
    assert options > 200, options


def test_the_manual_page_names_every_variable_of_the_environment():
    page = said(PROGRAM, "man")
    named = set()
    for folder in ("server", "storage"):
        for at, _, files in os.walk(os.path.join(ROOT, folder)):
            for name in files:
                if name.endswith(".c"):
                    named |= set(re.findall(r'"(TELLTALE_[A-Z_]+)"|getenv\("([A-Z_]+)"\)', text(at, name)))
    named = {a or b for a, b in named} - {"HOME"}
    assert len(named) > 8, named
    missing = [name for name in named if f".It Ev {name}\n" not in page]
    assert not missing, missing


# ---- completion -----------------------------------------------------------------------------------------------------------

def words(*typed, db="/nonexistent"):
    return said(PROGRAM, "--db", db, "completion", "words", "--", *typed).splitlines()


def first(lines):
    return [line.split("\t")[0] for line in lines]


def test_completion_knows_commands_options_values_and_files():
    assert {"serve", "import", "completion"} <= set(first(words("")))
    assert first(words("sca")) == ["scan"]
    assert "sca" not in first(words("sca")) and all("\t" in line for line in words(""))
    assert first(words("scan", "--fail")) == ["--fail-on"]
    assert first(words("scan", "--fail-on", "")) == first(words("scan", "--fail-on", "=", "")) == ["low", "medium", "high"]
    assert first(words("scan", "--fail-on", "=", "h")) == ["high"]
    assert first(words("scan", "--fail-on=h")) == ["--fail-on=high"]
    assert "sarif" in first(words("scan", "--output", "")) and "sarif" not in first(words("runs", "--output", ""))
    assert first(words("rules", "")) == ["list", "show", "lint", "test", "new", "save", "remove", "own", "docs", "schema"]
    for command in ("collections", "rules", "judge", "labels", "review", "exceptions", "webhook", "token", "delete", "completion"):
        said = [line.split("\t")[1] for line in words(command, "")] # each does something else
        assert len(said) > 2 and len(set(said)) == len(said), (command, said)
    assert words("rules", "lint", "") == words("import", "") == words("import", "--config", "") == [":files"]
    assert words("serve", "--web-dir", "") == [":folders"]
    assert words("nonsense", "") == words("rules", "show", "") == words("scan", "--only", "") == []
    assert "claude-code" in first(words("import", "--format", "cl"))


def test_completion_offers_only_what_the_program_takes():
    for command, option in (("runs", "severity"), ("runs", "kind"), ("runs", "status"), ("runs", "success"), ("runs", "has-findings"), ("search", "role"),
                            ("export", "as"), ("runs", "output"), ("findings", "output"), ("findings", "scope"), ("import", "format")):
        offered = first(words(command, f"--{option}", ""))
        assert offered, (command, option)
        for word in offered:
            more = ["x"] if command == "search" else ["--dry-run", "/nonexistent"] if command == "import" else []
            done = subprocess.run([PROGRAM, "--db", "/nonexistent", command, *more, f"--{option}", word], capture_output=True, timeout=20)
            assert done.returncode != 2, (command, option, word, done.stderr)
    assert subprocess.run([PROGRAM, "--db", "/nonexistent", "findings", "--kind", "no_such"], capture_output=True, timeout=20).returncode != 0


HOSTILE = "a $(touch pwned) `touch pwned`; 'quoted\""


def names_collections(db):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write('{"messages": [{"role": "user", "content": "x"}]}')
        file.flush()
        for name in ("nightly", HOSTILE):
            said(PROGRAM, "--db", db, "import", file.name, "-c", name)


def test_bash_completes_and_runs_nothing_that_a_collection_is_named_by():
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(PROGRAM, os.path.join(folder, "telltale"))
        script = os.path.join(folder, "script")
        with open(script, "w") as out:
            out.write(said(PROGRAM, "completion", "bash"))
        said("bash", "-n", script)
        db = os.path.join(folder, "t.db")
        names_collections(db)

        def tab(*typed):
            line = " ".join(["./telltale", *typed])
            run = f'. {script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _telltale; printf "%s\\n" "${{COMPREPLY[@]}}"; complete -p telltale'
            out = said("bash", "-c", run, "bash", "./telltale", *typed, cwd=folder, env={**os.environ, "TELLTALE_DB": db})
            assert out.endswith("complete -F _telltale telltale\n"), (line, out)
            return out.splitlines()[:-1]

        assert tab("im") == ["import"] and "--dry-run" in tab("import", "--")
        offered = tab("runs", "-c", "")
        assert len(offered) == 2 and "nightly" in offered, offered
        hostile = [word for word in offered if word != "nightly"][0]
        assert said("bash", "-c", f"printf %s {hostile}", cwd=folder) == HOSTILE
        assert not os.path.exists(os.path.join(folder, "pwned"))


def test_zsh_and_fish_read_their_completions():
    for shell, flags in (("zsh", ["-n"]), ("fish", ["--no-execute"])):
        if not shutil.which(shell):
            continue
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(said(PROGRAM, "completion", shell))
            file.flush()
            said(shell, *flags, file.name)
    assert "tcsh" in said(PROGRAM, "completion", "tcsh", status=2)


# ---- the service ----------------------------------------------------------------------------------------------------------

def test_the_units_are_sound_and_shut_in():
    for unit in ("telltale.service", "telltale-backup.service"):
        report = said("systemd-analyze", "security", "--offline=true", "--no-pager", os.path.join(UNITS, unit))
        exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", report)
        assert exposure and float(exposure[1]) <= 2.0, report[-400:]
    with tempfile.TemporaryDirectory() as folder: # with what the units start
        shutil.copytree(UNITS, os.path.join(folder, "etc/systemd/system"))
        for name in ("sysinit", "basic", "shutdown", "multi-user", "network-online", "timers", "time-sync", "time-set"):
            with open(os.path.join(folder, f"etc/systemd/system/{name}.target"), "w") as out:
                out.write("[Unit]\nDescription=x\n")
        for program in ("usr/bin/telltale", "bin/sh", "bin/kill"):
            os.makedirs(os.path.dirname(os.path.join(folder, program)), exist_ok=True)
            shutil.copy("/bin/true", os.path.join(folder, program))
        for unit in sorted(os.listdir(UNITS)):
            out = said("systemd-analyze", "verify", "--man=no", f"--root={folder}", unit)
            assert not out.strip(), (unit, out)


def test_the_service_manager_is_told_that_it_listens_and_that_it_stops():
    for name in ("path", "abstract"):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            at = os.path.join(folder, "notify")
            manager.bind(at if name == "path" else "\0" + at)
            manager.settimeout(20)
            os.environ["NOTIFY_SOCKET"] = at if name == "path" else "@" + at
            try:
                with Server() as s:
                    assert manager.recv(100) == b"READY=1"
                    s.ask("GET", "/healthz")
                    s.stop()
                    assert manager.recv(100) == b"STOPPING=1"
            finally:
                del os.environ["NOTIFY_SOCKET"]


# ---- what watches it ------------------------------------------------------------------------------------------------------

def promises():
    """Every name in /metrics with the labels that it may have, of the server that runs; a histogram's three names are its own."""
    with Server() as s:
        s.ask("GET", "/healthz")
        s.get("collections")
        lines = s.ask("GET", "/metrics").body.decode().splitlines()
    labels = {}
    for line in lines:
        kind = re.match(r"# TYPE (\S+) (\S+)", line)
        for suffix in ("_bucket", "_sum", "_count") if kind and kind[2] == "histogram" else ("",) if kind else ():
            labels[kind[1] + suffix] = set()
        sample = re.match(r"([a-z_]+)(?:\{(.*)\})? \S+$", line)
        if sample:
            labels[sample[1]] |= set(re.findall(r'(\w+)="', sample[2] or ""))
    return labels


def test_alerts_and_dashboard_ask_for_figures_that_there_are():
    alerts = text("deploy", "examples", "prometheus-alerts.yml")
    queries = re.findall(r"^ +expr: (.*)$", alerts, re.M)
    dashboard = json.loads(text("deploy", "examples", "grafana.json"))
    queries += [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
    assert len(queries) > 25 and len(queries) == len([q for q in queries if q]), queries
    known = promises()
    known["up"] = set()
    for query in queries:
        named = re.findall(r"\b(up|(?:telltale|process)_[a-z_]+)\b(?:\{([^}]*)\})?", query)
        assert named, query
        for name, matchers in named:
            assert name in known, (name, query)
            asked = set(re.findall(r"(\w+) *[=!]", matchers)) - {"job", "instance"}
            assert asked <= known[name], (name, asked, known[name])
        by = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(",")} - {"instance"}
        assert by <= set().union(*(known[name] for name, _ in named)), (query, by)
    for file in ("prometheus-alerts.yml",) if shutil.which("promtool") else ():
        said("promtool", "check", "rules", os.path.join(DEPLOY, "examples", file))


def test_the_dashboard_is_what_its_script_writes():
    assert said(sys.executable, os.path.join(DEPLOY, "dashboard.py")) == text("deploy", "examples", "grafana.json")
    panels = json.loads(text("deploy", "examples", "grafana.json"))["panels"]
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def test_the_settings_that_the_package_brings_are_read():
    with tempfile.TemporaryDirectory() as folder:
        for name, change in (("as it is", lambda line: line), ("all of it", lambda line: re.sub(r"^( *)# (?=[a-z-]+:|  [a-z])", r"\1", line))):
            at = os.path.join(folder, "telltale.yaml")
            with open(at, "w") as out:
                out.write("".join(change(line) for line in text("deploy", "telltale.yaml").splitlines(True)))
            data = os.path.join(folder, name)
            os.mkdir(data)
            token = said(PROGRAM, "--db", os.path.join(data, "t.db"), "token", "create", "boss", "--scope", "admin").split()[0]
            with Server("--config", at, folder=data) as s:
                assert s.ask("GET", "/readyz").status == 200, name
                models = s.ask("GET", "models", headers={"Authorization": f"Bearer {token}"}).json()
                assert ("mini" in json.dumps(models)) == (name == "all of it"), (name, models)


if __name__ == "__main__":
    sys.exit(run(("__main__",)))
