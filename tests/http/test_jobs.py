"""Jobs by state, trying again what failed, and what the files take."""
import sqlite3
import subprocess
import uuid

from server import PROGRAM, Server
from test_api import check, described


def test_a_job_that_failed_is_tried_again():
    failed = str(uuid.uuid4())
    with Server() as s:
        doc = s.get("/openapi.json")
        with sqlite3.connect(s.db) as db:
            db.execute("INSERT INTO job (id, kind, state, attempts, created_at, started_at, ended_at, payload, error) VALUES (?, 'sample', 3, 3,"
                       " '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z', '{}', 'the disk was full')", (failed,))
        assert [j["id"] for j in s.get("jobs", state="failed")["items"]] == [failed]
        assert s.get("jobs", state="done") == {"items": [], "next": None, "total": 0}
        s.ask("GET", "/api/v1/jobs?state=ended").problem(400)
        again = s.send("POST", f"jobs/{failed}/retry", {})
        check(again, described(doc, "/api/v1/jobs/{id}/retry", "post", 200), doc)
        assert again["state"] in ("queued", "running") and again["error"] is None and again["ended_at"] is None, again
        done = s.get(f"jobs/{failed}", wait=60)
        assert done["state"] == "done" and done["attempts"] == 1 and s.get("collections/sample")["runs"] > 0, done
        s.ask("POST", f"/api/v1/jobs/{failed}/retry", b"{}", {"content-type": "application/json"}).problem(409, "failed or was cancelled")
        s.ask("POST", f"/api/v1/jobs/{uuid.uuid4()}/retry", b"{}", {"content-type": "application/json"}).problem(404)
        said = s.get("system")
        check(said, described(doc, "/api/v1/system", "get", 200), doc)
        assert said["database"] == s.db and said["database_bytes"] > 100_000 and said["waiting"] == 0 and said["free_bytes"] > 0, said
        assert f"telltale {said['version']}\n" == subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout
