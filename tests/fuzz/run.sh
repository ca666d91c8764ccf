#!/bin/sh
# Fuzzes each target for SECONDS (default 600), its corpus seeded from the fixtures. TARGETS: "wire any json table" and the names of formats; all by default.
# What is found stays in $O/fuzz/found; a finding becomes a fixture. Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/../.."
targets=${TARGETS:-wire any json table $(sed -n 's/^FORMAT(\(fmt_[a-z0-9_]*\))$/\1/p' server/ingest/formats.inc | while read -r row; do
	sed -n "/struct format $row = {/,/};/s/.*\.name = \"\([^\"]*\)\".*/\1/p" server/ingest/fmt_*.c; done)}
found=$O/fuzz/found
mkdir -p "$found"
passed=0
failed=0
for target in $targets; do
	corpus=$O/fuzz/corpus/$target
	mkdir -p "$corpus"
	program=$O/fuzz/fuzz
	if [ "$target" = wire ]; then
		program=$O/fuzz/wire
		printf 'GET /api/v1/collections/a%%20b/runs?limit=3&sort=-x HTTP/1.1\nHost: telltale.example.org\nX-Forwarded-For: 1.2.3.4, ::1\n\n' >"$corpus/get"
		printf 'POST /api/v1/sql HTTP/1.1\nHost: 127.0.0.1:8787\nOrigin: http://127.0.0.1:8787\nContent-Length: 20\n\n{"query":"SELECT 1"}' >"$corpus/post"
		printf 'POST /api/v1/collections HTTP/1.1\nHost: localhost:8787\nTransfer-Encoding: chunked\nX-Forwarded-Proto: https\n\n{"name":"x","metadata":{"a":1}}' >"$corpus/put"
	fi
	seeds=tests/fixtures/$target
	[ -d "$seeds" ] || seeds=tests/fixtures
	[ "$target" = wire ] || find "$seeds" -type f ! -name expected.json | while read -r f; do
		seed=$corpus/seed-$(echo "$f" | tr / _)
		[ "$target" = table ] && { echo "role=role,content=content"; cat "$f"; } >"$seed" || cp "$f" "$seed"
	done
	if TARGET=$target "$program" -max_total_time="${SECONDS_EACH:-600}" -rss_limit_mb=1024 -timeout=10 -max_len=65536 -print_final_stats=0 \
		-artifact_prefix="$found/$target-" "$corpus" >"$O/fuzz/$target.log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$target:"
		grep -aE 'broken:|ERROR|runtime error|SUMMARY|Test unit written' "$O/fuzz/$target.log" | head -n 5
	fi
	printf '%-20s %s\n' "$target" "$(grep -a '^#' "$O/fuzz/$target.log" | tail -n 1)"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
