#!/bin/sh
# Writes assembly that places files inside the program, and the table that base/embed.h reads.
# usage: embed.sh FILE...
# Names in the program: migrations/…, rules/…, rubrics/…, schema/…, report/…, sample/…, docs/…,
# completion/…, web/….
set -eu
echo '.section .rodata'
n=0
for f in "$@"; do
	printf '.Lb%d: .incbin "%s"\n.Le%d: .byte 0\n' "$n" "$f" "$n"
	case $f in
	migrations/sqlite/*) name=migrations/${f##*/} ;;
	server/detect/rules/*) name=rules/${f##*/} ;;
	server/judge/rubrics/*) name=rubrics/${f##*/} ;;
	server/detect/schema/* | server/judge/schema/*) name=schema/${f##*/} ;;
	server/view/*.css) name=report/${f##*/} ;;
	server/sample/data/*) name=sample/${f##*/} ;;
	deploy/completion.*) name=completion/${f##*.} ;;
	web/docs/*) name=docs/${f##*/} ;;
	web/dist/*) name=web/${f#web/dist/} ;;
	*) echo "embed.sh: no place for $f" >&2; exit 1 ;;
	esac
	printf '.Ln%d: .asciz "%s"\n' "$n" "$name"
	n=$((n + 1))
done
echo '.section .data.rel.ro,"aw"'
printf '.balign 8\n.globl embedded_files\nembedded_files:\n'
i=0
while [ "$i" -lt "$n" ]; do
	printf '.quad .Ln%d, .Lb%d, .Le%d - .Lb%d\n' "$i" "$i" "$i" "$i"
	i=$((i + 1))
done
printf '.globl embedded_file_count\n.balign 8\nembedded_file_count: .quad %d\n.section .note.GNU-stack,"",%%progbits\n' "$n"
