#!/bin/sh
# The image of deploy/Containerfile, built by buildah on a Debian made by debootstrap, then run as its head says: nobody's root, nothing to write
# but /data, no capability. systemd-nspawn stands for podman. Wants to be root.
# usage: image.sh BUILD-FOLDER      MIRROR= another mirror of Debian; EXTRA_CA= certificates that npm is to trust besides
set -u
cd "$(dirname "$0")/../.."
O=$(realpath "$1")
. tests/deploy/base.sh

debian=docker.io/library/debian:bookworm-slim
store=$O/image
data=$O/image-data
server=
container=
buildah() { command buildah --root "$store" --runroot "$store-run" "$@"; }
end() {
	[ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
	[ -n "$container" ] && buildah rm "$container" >/dev/null
	container=
}
trap end EXIT

container=$(buildah from scratch)
buildah copy -q "$container" "$base" / >/dev/null
if [ -n "${EXTRA_CA:-}" ]; then
	buildah copy -q "$container" "$EXTRA_CA" /etc/extra-ca.crt >/dev/null
	buildah config --env NODE_EXTRA_CA_CERTS=/etc/extra-ca.crt "$container"
fi
buildah commit -q "$container" "$debian" >/dev/null
end

built() { buildah bud --isolation chroot --pull-never -f deploy/Containerfile -t telltale . >"$O/image.log" 2>&1 || { tail -n 20 "$O/image.log"; return 1; }; }
check "the image is built" built
[ "$failed" -eq 0 ] || { echo "$passed passed, $failed failed"; exit 1; }
container=$(buildah from --pull-never localhost/telltale)
root=$(buildah mount "$container")
in_root() { chroot "$root" sh -ec "$1"; }
check "it says who runs, what and where the data are" sh -c 'for words in \
	"\"User\": \"8787:8787\"" "\"Entrypoint\": \[\"telltale\"\]" "\"Cmd\": \[\"serve\", \"--listen\", \"0.0.0.0:8787\"\]" "TELLTALE_DB=/data/telltale.db" "\"Volumes\": {\"/data\": {}}"; do
		echo "$1" | tr -d "\n" | sed "s/  */ /g; s/\([{[]\) /\1/g; s/ \([]}]\)/\1/g" | grep -q "$words" || { echo "not there: $words"; exit 1; }
	done' sh "$(buildah inspect --type image localhost/telltale)"
check "its user has no shell, and the data are its own" in_root \
	'getent passwd 8787 | grep -q "^telltale:.*:8787:8787:.*:/data:/usr/sbin/nologin$" && [ "$(stat -c "%u %g %a" /data)" = "8787 8787 700" ]'
check "no compiler and no source is in it" in_root '! command -v cc gcc make npm node && [ ! -e /src ]'
check "no library is missing" in_root '! ldd /usr/local/bin/telltale | grep "not found"'

rm -rf "$data"
install -d -m 700 -o 8787 -g 8787 "$data"
contained() {
	systemd-nspawn -q -D "$root" --read-only --register=no --keep-unit --no-new-privileges=yes --drop-capability=all --user=telltale --chdir=/data \
		--bind="$data:/data" --tmpfs=/tmp --setenv=TELLTALE_DB=/data/telltale.db "$@" </dev/null
}
check "root is nobody's, and cannot be written" contained --as-pid2 sh -ec '[ "$(id -u):$(id -g)" = 8787:8787 ] && ! touch /x 2>/dev/null && ! touch /usr/local/bin/telltale 2>/dev/null &&
	grep -q "^CapBnd:[[:space:]]*0*$" /proc/self/status && grep -q "^NoNewPrivs:[[:space:]]*1" /proc/self/status'
refused() { ! contained --as-pid2 telltale serve --listen 127.0.0.1:0 --require-token >"$O/image-serve.log" 2>&1 && grep -q 'telltale token create' "$O/image-serve.log"; }
check "without a token it does not start, and says how one is made" refused
token=$(contained --as-pid2 telltale token create me --scope admin 2>/dev/null | grep -o 'tt_[A-Za-z0-9_-]*')
check "a token is made" test -n "$token"

# As the first process of the container, so that a signal counts as it does there: what has no handler is not told.
contained telltale serve --listen 127.0.0.1:0 --require-token >"$O/image-serve.log" 2>&1 &
server=$!
for _ in $(seq 100); do
	url=$(sed -n 's/.*listening on //p' "$O/image-serve.log" | tr -d '\r')
	[ -n "$url" ] && break
	sleep 0.1
done
check "it answers" curl -sf "$url/readyz"
check "and asks for a token" sh -c '[ "$(curl -s -o /dev/null -w "%{http_code}" "$1/api/v1/collections")" = 401 ]' sh "$url"
check "the page comes out of the program" sh -c 'curl -sf "$1/" | grep -q "<title>"' sh "$url"
check "a run goes in" sh -ec 'auth="Authorization: Bearer $2"
	curl -sf -H "$auth" -d "{\"name\": \"c\"}" "$1/api/v1/collections"
	printf "%s" "{\"messages\": [{\"role\": \"user\", \"content\": \"kept words\"}]}" |
		curl -sf -H "$auth" --data-binary @- "$1/api/v1/collections/c/uploads?filename=a.json&wait=60" | grep -q "\"new\":1"' sh "$url" "$token"
pkill -TERM -u 8787 -x telltale
wait "$server"
check "told to stop, it stops in good order" test $? = 0
server=
check "what was taken in is on the volume" contained --as-pid2 sh -c 'telltale check && telltale search "kept words" | grep -q kept'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
