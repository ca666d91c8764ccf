"""What keeps a server running: its settings, logs, figures, and what it throws away."""
import os
import subprocess
import tempfile

from server import PROGRAM, Server


def folder_with(settings):
    folder = tempfile.TemporaryDirectory(prefix="telltale-http-")
    with open(os.path.join(folder.name, "telltale.yaml"), "w") as out:
        out.write(settings)
    return folder


def test_serve_takes_its_options_from_the_settings_too():
    config = "telltale.yaml"
    with folder_with("serve:\n  listen: 127.0.0.1:1\n  sample: true\n  max-upload: 1\n  web-dir: page\n") as folder:
        os.mkdir(os.path.join(folder, "page"))
        with open(os.path.join(folder, "page", "index.html"), "w") as out:
            out.write("<p>from the folder beside the settings</p>")
        with Server("--config", os.path.join(folder, config), "--max-upload", "2") as s: # listens where the command line says
            assert s.get("collections")["total"] == 1
            assert b"beside the settings" in s.ask("GET", "/").body
            assert s.ask("POST", "collections/sample/uploads?filename=a", b"x" * (3 << 20)).status == 413
            assert s.ask("POST", "collections/sample/uploads?filename=a", b"x" * (3 << 19)).status == 202


def test_what_is_wrong_in_the_settings_of_serve_stops_it():
    for settings, words in (("serve: {lissten: x}", "telltale.yaml:1:9: serve has no key 'lissten'; did you mean 'listen'?"),
                            ("serve: {sample: 3}", "1:17: sample is true or false"),
                            ("serve: {workers: {a: 1}}", "1:18: workers must be a text"),
                            ("serve: [listen]", "1:8: serve: a map of options was expected"),
                            ("serve: {workers: two}", "--workers takes a whole number, not 'two'"),
                            ("serve: {config: other.yaml}", "serve has no key 'config'")):
        with folder_with(settings) as folder:
            done = subprocess.run([PROGRAM, "--db", "t.db", "serve", "--listen", "127.0.0.1:0"], cwd=folder, capture_output=True, timeout=20)
            assert done.returncode == 2 and words in done.stderr.decode(), (settings, done.returncode, done.stderr)
