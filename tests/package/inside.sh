#!/bin/bash
# inside.sh OLD.deb NEW.deb: as root under the booted systemd of a clean Debian. One "NAME: ok" or "NAME: WRONG" for each
# requirement; what led there goes to standard error.
old=$1 new=$2 data=/var/lib/gateway here=/usr/local/lib/package
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
exec 3>&1 1>&2
say() { if [ "$2" = 0 ]; then echo "$1: ok" >&3; else echo "$1: WRONG" >&3; fi; }
within() { for _ in $(seq "$1"); do eval "$2" && return 0; sleep .2; done; return 1; }
up() { [ "$(systemctl is-active gateway.target forward console.socket capture@ecg1 | sort -u)" = active ]; }
gateway_() { runuser -u gateway -- gateway "$@"; }
answers() { gateway_ status --json | grep -q '"light"'; }
python() { python3 -I -c 'import sys; sys.path.insert(0, "/usr/lib/modality-gateway")
'"$@"; }
# Each file as it was; the recording that was cut off has got its END behind what was there, its exam an end of its own.
whole() { python3 -I - $here/older/data $data <<'PY'
import sys
from pathlib import Path
old, new = map(Path, sys.argv[1:])
files = [p for f in ("acquisitions", "exams", "instances") for p in (old / f).rglob("*") if p.is_file()]
assert len(files) > 20, files
for path in files:
    was, now = path.read_bytes(), (new / path.relative_to(old)).read_bytes()
    same = now.startswith(was) if path.name == "records" else True if path.name == "exam.json" else now == was
    if not same:
        sys.exit(f"{path} has changed")
PY
}
main() { systemctl show -p MainPID --value "$1"; }

dpkg -i "$old";                                  say "it installs with what Debian has" $?
within 150 up;                                   say "and its services come up by themselves" $?
[ -z "$(systemctl --failed --no-legend)" ];      say "nothing has failed" $?
[ "$(stat -c '%U %a' $data)" = "gateway 700" ];  say "the spool is the user gateway's alone" $?
systemctl is-enabled -q gateway.target;          say "they will come up at each boot" $?
gateway_ status | tee /tmp/status; grep -q 'forward' <(gateway_ status --json) && ! grep -q 'does not answer' /tmp/status
say "gateway status: every process answers" $?
gateway --version;                               say "the command is on the path" $?
gateway config check;                            say "the sample configuration is right" $?
man -w gateway && man gateway | grep -q 'support-bundle'; say "man gateway" $?
bash -ic '. /usr/share/bash-completion/bash_completion; _completion_loader gateway; COMP_WORDS=(gateway exam st); COMP_CWORD=2; _gateway; [ "${COMPREPLY[*]}" = "start stop" ]' 2>/dev/null
say "the shell completes its words" $?
python 'import gateway, pydicom, pynetdicom, numpy, serial
for m in (gateway, pydicom, pynetdicom): assert m.__file__.startswith("/usr/lib/modality-gateway/"), m.__file__
for m in (numpy, serial): assert m.__file__.startswith("/usr/lib/python3/"), m.__file__
print(sys.version, numpy.__version__, pydicom.__version__)'; say "pydicom comes with it, numpy from Debian" $?
[ -z "$(find /usr/lib/modality-gateway -name '*.py' | while read -r f; do ls "${f%/*}/__pycache__/$(basename "$f" .py)".*.pyc >/dev/null 2>&1 || echo "$f"; done)" ]
say "every module is compiled" $?
(cd /tmp && gateway_ demo --out /tmp/demo --seconds 5); say "the demo does the main job from the installed package" $?

within 500 '[ "$(systemctl show -p ActiveState --value gateway-check)" != activating ]'
journalctl --no-pager -q -o cat -u gateway-check | grep -qx 'the clock is not synchronized: .*\|no destination is configured: .*'
say "at boot one line says how the box is" $?

# What a page asks while it is restarted is answered late, not refused: systemd holds the socket.
page() { python3 -I -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:8104/status.json").read().decode())'; }
systemctl stop console.service; page | grep -q '"light"'; say "the page is started by who asks for it" $?
systemctl restart console.service & page | grep -q '"light"'; say "and refuses nobody while it restarts" $?
wait

# A wrong configuration changes nothing; a right one is taken up, with a process for each device.
before=$(main forward); cp /etc/gateway/gateway.toml /tmp/right
echo '[nonsense]' >> /etc/gateway/gateway.toml
systemctl reload forward 2>/tmp/refused; result=$?
journalctl -o cat --no-pager -u forward | grep -q 'line [0-9]*: \[nonsense\] is unknown' && [ $result != 0 ] && [ "$(main forward)" = "$before" ]
say "reload refuses a wrong configuration with words, and the old one stays" $?
within 100 'journalctl --no-pager -q -o cat -u gateway-config | grep -q "\[nonsense\] is unknown"'; say "who saves a mistake hears of it" $?
gateway config apply; [ $? = 2 ] && [ "$(main forward)" = "$before" ]; say "so does gateway config apply" $?
cat /tmp/right - > /etc/gateway/gateway.toml <<'TOML'
# edited by a person
[[device]]
name = "ecg2"
adapter = "simulated"
test = true
[[device]]
name = "files"
adapter = "edf"
folder = "/srv/drop in"
taken = "done"
TOML
install -d -o gateway "/srv/drop in"
sed -i 's/^retention = .*/retention = 3650.0/; s/trust = "ntp"/trust = "always"/; s/^port = 8104/port = 8105/' /etc/gateway/gateway.toml
gateway config apply && within 150 'systemctl is-active -q capture@ecg2 && up && answers'
say "a right one is applied: a second device has its process" $?
within 100 'systemctl is-active -q capture@files' && nsenter -t "$(main capture@files)" -m -S "$(id -u gateway)" touch "/srv/drop in/x"
say "who takes in files may write to their folder" $?
! nsenter -t "$(main capture@ecg2)" -m -S "$(id -u gateway)" touch "/srv/drop in/y"; say "and no other capture may" $?
python3 -I -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8105/status.json").read()'; say "and the page has moved" $?
gateway_ status --json | python3 -I -c 'import json, sys
found = [f["words"] for f in json.load(sys.stdin)["findings"]]
sys.exit(found != ["no destination is configured: nothing leaves the box"] and repr(found))'
say "gateway status is well but for that the sample sends to nobody" $?
before=$(main forward); systemctl reload forward && within 100 '[ "$(main forward)" != "$before" ] && systemctl is-active -q forward'
say "reload takes a right configuration up" $?

# An older box, with its spool full, is upgraded.
gateway_ trigger ecg1; within 50 'gateway_ status --json | grep -q "\"recording\": true"'
dpkg -i "$new" > /tmp/upgrade 2>&1; result=$?; cat /tmp/upgrade
[ $result != 0 ] && grep -q 'ecg1 is being recorded' /tmp/upgrade && up; say "no upgrade cuts into a recording" $?
systemctl reload capture@ecg1; sleep 1; gateway_ status --json | grep -q '"recording": true'; say "nor does a reload" $?
gateway_ trigger ecg1; within 50 '! gateway_ status --json | grep -q "\"recording\": true"'
dpkg --configure -a; systemctl stop gateway.target
rm -rf $data/{acquisitions,exams,instances,orders,ledger.sqlite*}; cp -a $here/older/data/. $data; chown -R gateway: $data
cat >> /etc/gateway/gateway.toml <<'TOML'
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = 9
[[destination]]
name = "archive"
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = 9
policy = "stored"
TOML
cp /etc/gateway/gateway.toml /tmp/edited
dpkg -i "$new";                                  say "it upgrades" $?
cmp /etc/gateway/gateway.toml /tmp/edited;       say "and keeps the configuration" $?
within 150 'up && answers';                      say "the services run again" $?
[ "$(dpkg-query -W -f '${Version}' modality-gateway)" = "$(dpkg-deb -f "$new" Version)" ]; say "it is the new one" $?
whole;                                           say "every file of the old spool is there, to the byte" $?
journalctl -o cat --no-pager -u forward | grep -q 'the ledger was of format 1, and is of format'; say "the ledger was migrated" $?
within 300 'gateway_ queue list --json | python3 -I -c "import json, sys; sys.exit(\"2.25.\" not in sys.stdin.read())"'
say "what waited there still waits" $?

# The journal can be asked, and explains itself.
within 100 'journalctl --no-pager -q -o cat DESTINATION=pacs | grep -q "cannot be reached"'; say "journalctl DESTINATION=pacs finds what became of it" $?
journalctl --no-pager -q -o cat DEVICE=ecg1 SYSLOG_IDENTIFIER=gateway | grep -q 'ecg1: kept'; say "journalctl DEVICE=ecg1 finds its recording" $?
journalctl --no-pager -q -F ACQUISITION | grep -q -- '-ecg'; say "journalctl knows recordings by name" $?
journalctl --no-pager -q -x DESTINATION=pacs | grep -q 'gateway echo pacs'; say "journalctl -x says what to do" $?
before=$(main forward); dpkg -i "$new" && within 150 '[ "$(main forward)" != "$before" ] && up'; say "installing it again is harmless" $?

for unit in capture@ecg1.service forward.service console.service console.socket stick@sdb1.service gateway.target; do
    systemd-analyze verify /usr/lib/systemd/system/"${unit/ecg1/}" 2>&1 | sed 's/sdb1//' | grep -E 'modality|gateway|capture|forward|console|stick'
done > /tmp/verify; cat /tmp/verify; [ ! -s /tmp/verify ]; say "systemd understands every line of the units" $?
for unit in capture@ecg1 forward console stick@sdb1; do
    systemd-analyze security --no-pager $unit.service | sed -n 's/.*Overall exposure level for \(.*\): \([0-9.]*\) .*/exposure \1 \2/p'
done | tee /tmp/exposure >&3
[ "$(awk '$2 !~ /stick/ && $3 > 2.0' /tmp/exposure | wc -l)/$(wc -l < /tmp/exposure)" = 0/4 ]; say "exposure is at most 2.0 of those that can be closed" $?

dpkg --remove modality-gateway;                  say "it is removed" $?
[ -z "$(systemctl list-units --no-legend --state=active 'capture@*' forward.service 'console.*' gateway.target)" ]; say "nothing of it runs" $?
[ ! -e /usr/lib/modality-gateway ] && [ ! -e /usr/bin/gateway ]; say "nothing of its code is left" $?
whole && cmp /etc/gateway/gateway.toml /tmp/edited; say "recordings and configuration are kept" $?
dpkg --purge modality-gateway > /tmp/purge 2>&1; result=$?; cat /tmp/purge
[ $result != 0 ] && grep -q "nothing was purged" /tmp/purge && whole
say "purge deletes no recording, and says so" $?
dpkg -i "$new" && within 150 'up && answers';    say "installed again, it goes on where it stood" $?
dpkg --remove modality-gateway && rm -r $data && dpkg --purge modality-gateway
say "with no recording left, it is purged" $?
find / -xdev \( -path /proc -o -path /sys -o -path /tmp -o -path /var/cache/man -o -path /usr/local/lib \) -prune -o -name '*gateway*' -print | grep -v '^/run/' > /tmp/left
cat /tmp/left; [ ! -s /tmp/left ];               say "and leaves nothing" $?
journalctl -o cat --no-pager -n 60
exit 0
