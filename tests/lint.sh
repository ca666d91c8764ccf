#!/bin/sh
# Layering, static analysis, types. Ends with "N passed, N failed": a check each.
set -u
cd "$(dirname "$0")/.."
# One file through clang-tidy, unless nothing that it depends on changed since it was last found good.
stamps=build/lint
mkdir -p "$stamps"
tidy_file() {
	f=$1
	stamp=$stamps/$(echo "$f" | tr / _).ok
	[ -f "$stamp" ] && [ -z "$(find "$f" .clang-tidy server/*/*.h storage/*.h -newer "$stamp" 2>/dev/null)" ] && return 0
	out=$(clang-tidy --quiet --warnings-as-errors='*' "$f" -- -std=gnu11 -D_GNU_SOURCE -Iserver -I. 2>/dev/null)
	if [ -n "$out" ]; then
		echo "$out"
		return 1
	fi
	touch "$stamp"
}
if [ "${1:-}" = tidy ]; then
	tidy_file "$2"
	exit
fi

passed=0
failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "lint: $*"; }

# ---- who may include whom (the arrows of the design; a module includes itself always) ---------------------------------
# allowed MODULE PATTERN: every include of ours in MODULE's files must match PATTERN
allowed() {
	wrong=$(grep -nE '^#include "' $1 2>/dev/null | grep -vE "#include \"($2)/" )
	if [ -n "$wrong" ]; then bad "layering: $wrong"; else ok; fi
}
allowed 'server/base/*.[ch]' 'base'
allowed 'server/text/*.[ch]' 'base|text'
allowed 'server/client/*.[ch]' 'base|client'
allowed 'server/llm/*.[ch]' 'base|text|llm'
allowed 'server/transcript/*.[ch]' 'base|text|transcript'
allowed 'server/judge/*.[ch]' 'base|text|transcript|llm|judge'
allowed 'storage/*.[ch]' 'base|text|transcript|storage'
allowed 'server/detect/*.[ch]' 'base|text|transcript|detect'
for f in server/ingest/*.[ch]; do
	case $f in
	*/carry.c) allowed "$f" 'base|text|transcript|judge|storage|ingest' ;;
	*/ingest.[ch] | */pipeline.h | */reading.c | */carry.h | */ownrules.[ch] | */report.c | */append.[ch] | */scan.c | */sample.c) allowed "$f" 'base|text|transcript|detect|storage|ingest' ;;
	*) allowed "$f" 'base|text|transcript|ingest' ;;
	esac
done
allowed 'server/view/*.[ch]' 'base|text|transcript|detect|llm|judge|storage|view'
allowed 'server/jobs/*.[ch]' 'base|text|transcript|detect|llm|judge|storage|ingest|view|jobs'
allowed 'server/docs/*.[ch]' 'base|docs'
allowed 'server/http/*.[ch]' 'base|docs|text|transcript|detect|llm|judge|storage|ingest|view|jobs|http'

# ---- one file knows each library --------------------------------------------------------------------------------------
# only HEADER FILE...
only() {
	header=$1
	shift
	wrong=$(grep -lE "#include <$header>" server/*/*.[ch] storage/*.[ch] 2>/dev/null | grep -vxF "$(printf '%s\n' "$@")")
	if [ -n "$wrong" ]; then bad "<$header> is included by $wrong, and only $* may"; else ok; fi
}
only microhttpd.h server/http/http.c
only sqlite3.h storage/sqlite.c storage/query.c storage/bound.c storage/ration.c storage/backup.c
only 'gnutls/.*' server/http/tls.c
only pcre2.h server/text/regex.c
only sodium.h server/base/hash.c server/base/base64.c
only zlib.h server/base/inflate.c
only yaml.h server/text/yaml.c
only curl/curl.h server/client/client.c server/llm/wire.c

# ---- habits -----------------------------------------------------------------------------------------------------------
words=$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' server/*/*.[ch] storage/*.[ch] web/src/*.ts* web/src/*/*.ts* Makefile 2>/dev/null)
if [ -n "$words" ]; then bad "unfinished: $words"; else ok; fi
unsafe=$(grep -nE '\b(strcpy|strcat|sprintf|gets|strtok|atoi|atol)\(' server/*/*.c storage/*.c)
if [ -n "$unsafe" ]; then bad "unsafe call: $unsafe"; else ok; fi
resolved=$(grep -n '"resolved"' web/package-lock.json)
if [ -n "$resolved" ]; then bad "web/package-lock.json names hosts: npm install --omit-lockfile-registry-resolved"; else ok; fi

# ---- what is said to be tested: each `file::words` that tests/*.md name is a file, with these words in it ----------------
for list in tests/*.md; do
	gone=$(grep -oE '`tests/[^`]+`' "$list" | tr -d '`' | sort -u | while read -r name; do
		file=${name%%::*}
		words=${name#"$file"}
		[ -f "$file" ] && grep -qF -- "${words#::}" "$file" || echo "$name"
	done)
	if [ -n "$gone" ]; then bad "$list names what is not there: $gone"; else ok; fi
done

# ---- clang-tidy ----------------------------------------------------------------------------------------------------
tidied=$(ls server/*/*.c storage/*.c | xargs -P "$(nproc)" -n 1 sh tests/lint.sh tidy 2>&1)
if [ -n "$tidied" ]; then bad "clang-tidy: $tidied"; else ok; fi

# ---- the page ----------------------------------------------------------------------------------------------------------
types=$(cd web && node_modules/.bin/tsc --noEmit 2>&1)
if [ -n "$types" ]; then bad "tsc: $types"; else ok; fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
