#!/bin/sh
# Makes a Debian package of the built program: one file with page, rules and sample inside, its service, manual page and completions.
# usage: [VERSION=…] deb.sh BUILD-FOLDER      prints the package's path
set -eu
cd "$(dirname "$0")/.."
O=$1
released=$(sed -n 's/^#define TELLTALE_RELEASED "\(.*\)"/\1/p' server/base/version.h)
: "${VERSION:=$(sed -n 's/^#define TELLTALE_VERSION "\(.*\)"/\1/p' server/base/version.h)}"
: "${DEBFULLNAME:=Telltale}" "${DEBEMAIL:=telltale@telltale.invalid}"
maintainer="$DEBFULLNAME <$DEBEMAIL>"
SOURCE_DATE_EPOCH=$(date -u -d "$released" +%s)
export SOURCE_DATE_EPOCH
arch=$(dpkg --print-architecture)
root=$O/deb
umask 022
rm -rf "$root"
doc=$root/usr/share/doc/telltale
mkdir -p "$root/DEBIAN" "$doc/examples"

make --no-print-directory -s install "O=$O" "DESTDIR=$root" PREFIX=/usr UNITDIR=/lib/systemd/system ZSHDIR=/usr/share/zsh/vendor-completions >/dev/null
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/telltale"
gzip -9n "$root/usr/share/man/man1/telltale.1"
install -D -m 644 deploy/telltale.yaml "$root/etc/telltale/telltale.yaml"
install -m 644 deploy/README.md "$doc/README.md"
for example in deploy/examples/*; do install -m 644 "$example" "$doc/examples/"; done

# What the page was built of is inside the program, and the licences of those libraries want to be with it.
{
	printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: telltale\n\n'
	printf 'Files: *\nCopyright: 2026 the authors of Telltale\nLicense: none\n All rights reserved; no public licence has been given.\n'
	(cd web && npm ls --omit=dev --all --parseable 2>/dev/null | tail -n +2) | sort | while read -r folder; do
		name=${folder##*/node_modules/}
		for license in "$folder"/LICENSE*; do
			printf '\nFiles: web/node_modules/%s/*\nCopyright: %s\nLicense: MIT-%s\n' "$name" \
				"$(sed -n 's/^.*Copyright (c) *//Ip' "$license" | head -n 1)" "$(echo "$name" | tr -d @ | tr / -)"
			sed 's/^[[:space:]]*$/./; s/^/ /' "$license"
		done
	done
} >"$doc/copyright"
{
	printf 'telltale (%s) unstable; urgency=medium\n\n  * Release %s.\n\n -- %s  %s\n' "$VERSION" "$VERSION" "$maintainer" "$(date -u -R -d "$released")"
} | gzip -9n >"$doc/changelog.gz"

for script in postinst prerm postrm; do install -m 755 "deploy/debian/$script" "$root/DEBIAN/"; done
echo /etc/telltale/telltale.yaml >"$root/DEBIAN/conffiles"
(cd "$root" && find usr lib -type f | sort | xargs md5sum) >"$root/DEBIAN/md5sums"

# dpkg-shlibdeps wants a source package's folder.
source=$O/deb-source
mkdir -p "$source/debian"
printf 'Source: telltale\n\nPackage: telltale\nArchitecture: any\n' >"$source/debian/control"
libraries=$(cd "$source" && dpkg-shlibdeps -O "$(cd - >/dev/null && realpath "$root")/usr/bin/telltale" 2>/dev/null | sed 's/^shlibs:Depends=//')
cat >"$root/DEBIAN/control" <<END
Package: telltale
Version: $VERSION
Section: science
Priority: optional
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -k -s --exclude=DEBIAN "$root" | cut -f 1)
Depends: $libraries, adduser
Suggests: nginx | caddy, prometheus
Description: finds what went wrong in the transcripts of AI agents
 Telltale reads the transcripts that AI agents leave behind on benchmarks, in
 production or in training, and shows which tasks are broken, which runs did
 something odd and which were near misses, each with the exact words that
 prove it. Rules find these without any language model; judges put questions
 of one's own to a model, and their agreement with people is measured.
 .
 It is one program with its web page inside, and keeps everything in one
 SQLite file. The service listens on this machine only until told otherwise.
END
package=$O/telltale_${VERSION}_$arch.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
