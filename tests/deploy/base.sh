# A small Debian of its own for a test, made once by debootstrap: base=FOLDER, to be copied and not written to.
# Wants O, the folder of the build; MIRROR= names another mirror of Debian.
base=$O/deb-base
if [ ! -f "$base/.made" ]; then
	rm -rf "$base"
	debootstrap --variant=minbase --include=systemd,procps bookworm "$base" "${MIRROR:-http://deb.debian.org/debian}" >"$O/debootstrap.log" 2>&1 ||
		{ tail -n 5 "$O/debootstrap.log"; echo "NOT RUN: debootstrap failed"; exit 1; }
	for f in /etc/apt/apt.conf.d/*; do grep -qi proxy "$f" && cp "$f" "$base/etc/apt/apt.conf.d/"; done
	touch "$base/.made"
fi
