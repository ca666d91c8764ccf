# Within a booted machine: the service as its unit starts it. A line for each check, "ok …" or "FAILED …".
check() {
	what=$1
	shift
	if said=$("$@" 2>&1); then echo "ok $what"; else printf 'FAILED %s\n%s\n' "$what" "$(echo "$said" | tail -n 15)"; fi
}
# get PATH WORDS: the answer has these words
get() {
	exec 3<>/dev/tcp/127.0.0.1/8787 || return 1
	printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:8787\r\nConnection: close\r\n\r\n' "$1" >&3
	answer=$(timeout 20 cat <&3 | tr -d '\0')
	exec 3>&-
	echo "$answer" | grep -q "$2" || { echo "$answer"; return 1; }
}
check "it runs" systemctl is-active telltale
check "it is ready when systemd says so" get /readyz "200 OK"
check "the page is there" get / "<title>"
mkdir /tmp/logs
for i in 1 2 3; do echo "{\"messages\": [{\"role\": \"user\", \"content\": \"hello $i\"}, {\"role\": \"assistant\", \"content\": \"aaaab\"}]}" >"/tmp/logs/$i.json"; done
tar -czf /tmp/logs.tar.gz -C /tmp logs
check "it takes uploads" telltale import /tmp/logs.tar.gz -c booted --to http://127.0.0.1:8787
check "expressions are compiled" get '/api/v1/search?q=a%2Bb%24&regex=1' '"items":\[{'
check "it reloads, and goes on" sh -c 'systemctl reload telltale && sleep 1 && systemctl is-active telltale'
check "its figures are there" get /metrics 'telltale_runs 3'
check "the backup's unit runs" systemctl start telltale-backup
check "and made one" sh -c 'for db in /var/backups/telltale/*/telltale.db; do telltale --db "$db" runs | grep -q 1.json; done'
check "killed, it comes back" sh -c 'systemctl kill -s KILL telltale; sleep 5; systemctl is-active telltale'
check "with what it had" get /metrics 'telltale_runs 3'
check "nothing that it wanted was denied" sh -c '! journalctl -b --no-pager -t telltale -t sh | grep -iE "denied|not permitted|read-only"'
check "it stops" systemctl stop telltale
check "in good order" sh -c 'systemctl show -p Result telltale | grep -qx Result=success'
echo "ok the end"
