#!/bin/sh
# Runs every test and ends with "N passed, N failed". O: where the build is. PARTS: only those whose names begin so (a|b). As many parts at a time as there are processors; each says
# what failed when it ends.
set -u
cd "$(dirname "$0")/.."
O=${O:-build}
ASAN_OPTIONS=${ASAN_OPTIONS:-}
TSAN_OPTIONS=${TSAN_OPTIONS:-}
PARTS=${PARTS:-}
export O ASAN_OPTIONS TSAN_OPTIONS
log=$O/test-log

# run.sh part NAME COMMAND...: its output counts by lines of the form "N passed, N failed" (the last one) or cmocka's own.
if [ "${1:-}" = part ]; then
	name=$2
	shift 2
	# What a sanitizer (BUILD=asan or tsan) has to say about any process of a part, the killed and the unheard too, stands in files of its own.
	reports=$(cd "$log" && pwd)/$name.sanitizer
	export ASAN_OPTIONS="log_path=$reports:$ASAN_OPTIONS" TSAN_OPTIONS="log_path=$reports:$TSAN_OPTIONS"
	"$@" >"$log/$name.txt" 2>&1
	status=$?
	line=$(grep -aE '^[0-9]+ passed, [0-9]+ failed' "$log/$name.txt" | tail -n 1)
	if [ -n "$line" ]; then
		p=$(echo "$line" | sed 's/ passed.*//')
		f=$(echo "$line" | sed 's/.*passed, //; s/ failed.*//')
	else
		p=$(grep -acE '^\[       OK \]' "$log/$name.txt")
		f=$(grep -acE '^\[  FAILED  \] [a-z_0-9]+$' "$log/$name.txt")
	fi
	# A crash, or a part in which nothing ran, is a failure of its own.
	if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
	if [ "$p" -eq 0 ] && [ "$f" -eq 0 ]; then f=1; fi
	for report in "$reports".*; do
		if [ -e "$report" ]; then f=$((f + 1)); fi
	done
	echo "$p $f" >"$log/$name.count"
	# One write, so that what parts say does not mix.
	said=$(
		printf '%-24s%s passed, %s failed\n' "$name" "$p" "$f"
		grep -aE '^(SKIPPED|NOT RUN)' "$log/$name.txt"
		if [ "$f" -gt 0 ]; then tail -n 60 "$log/$name.txt"; fi
		cat "$reports".* 2>/dev/null | head -n 100
	)
	echo "$said"
	exit 0
fi

rm -rf "$log"
mkdir -p "$log"
part() { sh tests/run.sh part "$@"; }

[ -n "$PARTS" ] || part lint sh tests/lint.sh
# The longest first. A command a line.
{
	echo browser-pages node tests/browser/run.mjs "$O/telltale" pages
	echo browser-work node tests/browser/run.mjs "$O/telltale" work
	echo http python3 tests/http/run.py "$O/telltale"
	echo cli python3 tests/cli/run.py "$O/telltale"
	echo care python3 tests/care/run.py "$O/telltale"
	echo cli-judges python3 tests/cli/judges.py "$O/telltale"
	echo deploy python3 tests/deploy/run.py "$O/telltale"
	for t in "$O"/unit/test_*; do
		case $t in *.d) continue ;; esac
		[ -x "$t" ] && echo "$(basename "$t")" "$t"
	done
	echo rules "$O/telltale" rules test
	echo rule-schema node tests/rules/schema.mjs "$O/telltale"
} | grep -E "^($PARTS)" | tee "$log/parts" | xargs -P "$(nproc)" -L 1 sh tests/run.sh part

# A part that gave no count did not run to its end.
passed=$(cat "$log"/*.count | awk '{ p += $1 } END { print p + 0 }')
failed=$(cat "$log"/*.count | awk '{ f += $2 } END { print f + 0 }')
lost=$(($(wc -l <"$log/parts") - $(ls "$log"/*.count | grep -cv /lint.count)))
if [ "$lost" -gt 0 ]; then echo "$lost of the parts did not run to their end"; fi
failed=$((failed + lost))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
