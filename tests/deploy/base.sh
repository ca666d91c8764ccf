# What tests that are run in a root of their own share: checks that are counted, and a small Debian, made once by debootstrap: base=FOLDER, to be
# copied and not written to. Wants O, the folder of the build, and to be root; MIRROR= names another mirror of Debian.
passed=0
failed=0
check() {
	what=$1
	shift
	if said=$("$@" 2>&1); then passed=$((passed + 1)); else failed=$((failed + 1)); printf 'FAILED %s\n%s\n' "$what" "$said" | tail -n 30; fi
}
[ "$(id -u)" = 0 ] || { echo "NOT RUN: this test wants to be root: it makes a root of its own"; exit 1; }
base=$O/deb-base
if [ ! -f "$base/.made" ]; then
	rm -rf "$base"
	debootstrap --variant=minbase --include=systemd,procps bookworm "$base" "${MIRROR:-http://deb.debian.org/debian}" >"$O/debootstrap.log" 2>&1 ||
		{ tail -n 5 "$O/debootstrap.log"; echo "NOT RUN: debootstrap failed"; exit 1; }
	for f in /etc/apt/apt.conf.d/*; do grep -qi proxy "$f" && cp "$f" "$base/etc/apt/apt.conf.d/"; done
	touch "$base/.made"
fi
