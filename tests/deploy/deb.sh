#!/bin/sh
# The Debian package as somebody meets it who installs it: looked at by lintian, then installed, used, upgraded, removed and purged in a root of
# its own. Wants to be root.
# usage: deb.sh BUILD-FOLDER      MIRROR= another mirror of Debian
set -u
cd "$(dirname "$0")/../.."
O=$(realpath "$1")
. tests/deploy/base.sh

package=$(sh deploy/deb.sh "$O") || exit 1
newer=$(VERSION=99.0 sh deploy/deb.sh "$O") || exit 1
check "two builds give the same bytes" sh -c 'cp "$1" "$1.first" && sh deploy/deb.sh "$2" >/dev/null && cmp "$1" "$1.first"; s=$?; rm -f "$1.first"; exit $s' sh "$package" "$O"
check "lintian has nothing to say" sh -c 'out=$(lintian --allow-root "$1") && [ -z "$out" ] || { echo "$out"; exit 1; }' sh "$package"

root=$O/deb-root
rm -rf "$root"
cp -a "$base" "$root"
cp "$package" "$newer" /etc/resolv.conf "$root/tmp/"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
mount -t proc proc "$root/proc"
server=
end() {
	[ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
	umount "$root/proc"
}
trap end EXIT
in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
in_sh() { in_root sh -ec "$1"; }
as_service() { in_root setpriv --reuid=telltale --regid=telltale --clear-groups env TELLTALE_DB=/var/lib/telltale/telltale.db TELLTALE_CONFIG=/etc/telltale/telltale.yaml "$@"; }

in_root apt-get update -qq
check "it installs, with what it needs" in_root apt-get install -y -qq --no-install-recommends "/tmp/$(basename "$package")"
check "the program runs, the page inside" in_root telltale --version
check "no library is missing" in_sh '! ldd /usr/bin/telltale | grep "not found"'
check "its user has no shell and no password" in_sh 'getent passwd telltale | grep -q ":/var/lib/telltale:/usr/sbin/nologin$" && getent shadow telltale | grep -q "^telltale:[!*]"'
check "its data are its own" in_sh '[ "$(stat -c "%U %a" /var/lib/telltale)" = "telltale 700" ] && [ "$(stat -c "%U %a" /var/backups/telltale)" = "telltale 700" ]'
check "only root writes its settings, and it reads them" in_sh '[ "$(stat -c "%U %G %a" /etc/telltale/telltale.yaml)" = "root telltale 640" ]'
check "the service is enabled, the backup waits to be" in_sh 'systemctl is-enabled telltale.service && ! systemctl is-enabled telltale-backup.timer'
check "the units are sound there" in_sh 'out=$(systemd-analyze verify --man=no telltale.service telltale-backup.service telltale-backup.timer 2>&1); [ -z "$out" ] || { echo "$out"; exit 1; }'

serve() {
	chroot "$root" setpriv --reuid=telltale --regid=telltale --clear-groups env TELLTALE_DB=/var/lib/telltale/telltale.db \
		TELLTALE_CONFIG=/etc/telltale/telltale.yaml telltale serve --listen 127.0.0.1:0 2>"$O/deb-serve.log" &
	server=$!
	for _ in $(seq 100); do
		url=$(sed -n 's/^listening on //p' "$O/deb-serve.log")
		[ -n "$url" ] && return 0
		sleep 0.1
	done
	cat "$O/deb-serve.log"
	return 1
}
serve
check "the server answers" curl -sf "$url/readyz"
check "the page comes out of the program" sh -c 'curl -sf "$1/" | grep -q "<title>"' sh "$url"
check "a run goes in" sh -ec 'curl -sf -d "{\"name\": \"c\"}" "$1/api/v1/collections" && printf "%s" "{\"messages\": [{\"role\": \"user\", \"content\": \"kept words\"}]}" |
	curl -sf --data-binary @- "$1/api/v1/collections/c/uploads?filename=a.json&wait=60" | grep -q "\"new\":1"' sh "$url"
kill "$server"
wait "$server"
check "it stops in good order" test $? = 0
server=
backup=$(sed -n "s/^ExecStart=.bin.sh -c '\(.*\)'$/\1/p" deploy/systemd/telltale-backup.service | sed 's/\$\$/$/g; s/%%/%/g')
check "the unit's backup makes a copy" as_service sh -c "$backup"
check "which is whole" in_sh 'for db in /var/backups/telltale/*/telltale.db; do telltale --db "$db" check && telltale --db "$db" search "kept words" | grep -q kept; done'
check "old copies go and new ones stay" in_sh 'mkdir /var/backups/telltale/old && touch -d "20 days ago" /var/backups/telltale/old
	'"KEEP_DAYS=14; $(sed -n "s/^ExecStartPost=.bin.sh -c '\(.*\)'$/\1/p" deploy/systemd/telltale-backup.service | sed 's/\$\$/$/g')"'
	[ ! -e /var/backups/telltale/old ] && [ "$(ls /var/backups/telltale | wc -l)" = 1 ]'

echo '# ours' >>"$root/etc/telltale/telltale.yaml"
check "a newer one takes its place" in_root apt-get install -y -qq --no-install-recommends "/tmp/$(basename "$newer")"
check "settings that were changed stay" in_sh 'grep -q "^# ours" /etc/telltale/telltale.yaml && [ "$(stat -c "%U %G %a" /etc/telltale/telltale.yaml)" = "root telltale 640" ]'
check "what was read stays" as_service sh -c 'telltale search "kept words" | grep -q kept'
check "it can be removed" in_root apt-get remove -y -qq telltale
check "settings and data outlive it" in_sh '[ -e /etc/telltale/telltale.yaml ] && [ -e /var/lib/telltale/telltale.db ] && [ ! -e /usr/bin/telltale ]'
check "it comes back as it was" in_sh "apt-get install -y -qq --no-install-recommends /tmp/$(basename "$newer") && grep -q '^# ours' /etc/telltale/telltale.yaml && systemctl is-enabled telltale.service"
check "it can be purged, and says what it keeps" in_sh 'apt-get purge -y -qq telltale | grep "kept: /var/lib/telltale,"'
check "then only data are left" in_sh '[ ! -e /etc/telltale ] && [ -e /var/lib/telltale/telltale.db ] && [ -z "$(find / -xdev -name "*telltale*" -not -path "/var/lib/telltale*" \
	-not -path "/var/backups/telltale*" -not -path "/tmp/*" -not -path "/proc/*" -not -path "/var/log/*" -not -path "/var/cache/*")" ]'
check "and nothing where there are none" in_sh "rm -r /var/lib/telltale /var/backups/telltale; apt-get install -y -qq /tmp/$(basename "$newer") && apt-get purge -y -qq telltale && [ ! -e /var/lib/telltale ] && [ ! -e /var/backups/telltale ]"

# The units under a systemd of their own, where one can be started: the filters and folders that shut them in must let them work.
in_sh "apt-get install -y -qq --no-install-recommends dbus /tmp/$(basename "$package")" >/dev/null 2>&1
rm -f "$root/usr/sbin/policy-rc.d"
umount "$root/proc"
cp tests/deploy/boot.sh "$root/usr/local/bin/boot-test"
cat >"$root/etc/systemd/system/boot-test.service" <<'END'
[Unit]
After=telltale.service network.target
[Service]
Type=oneshot
ExecStart=/bin/bash /usr/local/bin/boot-test
StandardOutput=append:/boot-test.log
StandardError=inherit
ExecStopPost=/bin/systemctl poweroff --force --force
[Install]
WantedBy=multi-user.target
END
chroot "$root" systemctl enable boot-test.service 2>/dev/null
timeout 120 systemd-nspawn -q -D "$root" --register=no --keep-unit -b >"$O/deb-boot.log" 2>&1
mount -t proc proc "$root/proc"
if [ -s "$root/boot-test.log" ]; then
	cat "$root/boot-test.log" | grep -v '^ok '
	passed=$((passed + $(grep -c '^ok ' "$root/boot-test.log")))
	failed=$((failed + $(grep -c '^FAILED ' "$root/boot-test.log")))
	check "all of it was tried" grep -q '^ok the end' "$root/boot-test.log"
else
	echo "NOT RUN: the units under systemd, as systemd-nspawn does not boot here: $(tail -n 1 "$O/deb-boot.log")"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
