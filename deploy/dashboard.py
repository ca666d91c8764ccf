#!/usr/bin/env python3
"""Writes the Grafana dashboard: rows of panels, each a title, a unit and queries.  usage: dashboard.py > examples/grafana.json"""
import json

RATE = "[$__rate_interval]"
ROUTES = "sum by (route) (rate(telltale_http_requests_total" + RATE + "))"
# (title, what it shows, unit, kind, width of 24, [(query, legend)])
ROWS = [
    ("What it holds", [
        ("Up", "Whether it answers", "bool_on_off", "stat", 4, [("up{job=\"telltale\"}", "")]),
        ("Runs", "Of all collections", "short", "stat", 5, [("telltale_runs", "")]),
        ("Collections", "", "short", "stat", 5, [("telltale_collections", "")]),
        ("Database", "Its file", "bytes", "stat", 5, [("telltale_database_bytes", "")]),
        ("Disk left", "On the disk of the database", "bytes", "stat", 5, [("telltale_disk_free_bytes", "")]),
    ]),
    ("Requests", [
        ("Requests by status", "", "reqps", "timeseries", 12, [("sum by (status) (rate(telltale_http_requests_total" + RATE + "))", "{{status}}")]),
        ("Busiest routes", "", "reqps", "timeseries", 12, [(f"topk(8, {ROUTES})", "{{route}}")]),
        ("Time of an answer", "Over all routes", "s", "timeseries", 12,
         [(f"histogram_quantile({q}, sum by (le) (rate(telltale_http_request_duration_seconds_bucket{RATE})))", name) for q, name in
          ((0.5, "median"), (0.9, "90 %"), (0.99, "99 %"))]),
        ("Slowest routes", "99 of 100 answers are faster", "s", "timeseries", 12,
         [(f"topk(8, histogram_quantile(0.99, sum by (route, le) (rate(telltale_http_request_duration_seconds_bucket{RATE}))))", "{{route}}")]),
    ]),
    ("Jobs", [
        ("Waiting and running", "", "short", "timeseries", 8, [("sum by (kind) (telltale_jobs_queued)", "{{kind}} waiting"),
                                                               ("sum by (kind) (telltale_jobs_running)", "{{kind}} running")]),
        ("Ended", "By how they ended", "short", "timeseries", 8, [("sum by (kind, state) (increase(telltale_jobs_ended_total" + RATE + "))", "{{kind}} {{state}}")]),
        ("Time of a job", "90 of 100 are faster", "s", "timeseries", 8,
         [(f"histogram_quantile(0.9, sum by (kind, le) (rate(telltale_job_duration_seconds_bucket{RATE})))", "{{kind}}")]),
        ("Longest wait", "Of the oldest job that could begin", "s", "timeseries", 8, [("max by (kind) (telltale_jobs_oldest_queued_seconds)", "{{kind}}")]),
        ("Uploads that wait", "", "bytes", "timeseries", 8, [("telltale_spool_bytes", "bytes")]),
        ("Questions to models", "By how they ended", "ops", "timeseries", 8, [("sum by (outcome) (rate(telltale_model_calls_total" + RATE + "))", "{{outcome}}")]),
    ]),
    ("The process", [
        ("Memory", "", "bytes", "timeseries", 6, [("process_resident_memory_bytes{job=\"telltale\"}", "resident")]),
        ("Processor", "Cores in use", "short", "timeseries", 6, [("rate(process_cpu_seconds_total{job=\"telltale\"}" + RATE + ")", "cores")]),
        ("Connections and files", "", "short", "timeseries", 6, [("telltale_http_connections", "connections"),
                                                                 ("process_open_fds{job=\"telltale\"}", "open files")]),
        ("Database", "", "bytes", "timeseries", 6, [("telltale_database_bytes", "file"), ("telltale_database_free_bytes", "free within"),
                                                    ("telltale_database_log_bytes", "write-ahead log")]),
    ]),
]


def dashboard():
    panels, y = [], 0
    for title, row in ROWS:
        panels.append({"type": "row", "title": title, "collapsed": False, "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}})
        y, x, height = y + 1, 0, 4 if row[0][3] == "stat" else 8
        for name, about, unit, kind, width, queries in row:
            if x + width > 24:
                x, y = 0, y + height
            targets = [{"refId": chr(ord("A") + i), "expr": expr, "legendFormat": legend, "datasource": {"type": "prometheus", "uid": "${source}"}}
                       for i, (expr, legend) in enumerate(queries)]
            panels.append({"type": kind, "title": name, "description": about, "gridPos": {"h": height, "w": width, "x": x, "y": y},
                           "datasource": {"type": "prometheus", "uid": "${source}"}, "targets": targets,
                           "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []}})
            x += width
        y += height
    for i, panel in enumerate(panels):
        panel["id"] = i + 1
    return {"uid": "telltale", "title": "Telltale", "tags": ["telltale"], "schemaVersion": 38, "editable": True, "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"}, "annotations": {"list": []}, "panels": panels,
            "templating": {"list": [{"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"}]}}


if __name__ == "__main__":
    print(json.dumps(dashboard(), indent=1))
