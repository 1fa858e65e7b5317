#!/bin/bash
# inside.sh: runs as root under the booted systemd and prints one "NAME: ok" or "NAME: WRONG" for each requirement.
say() { if [ "$2" = 0 ]; then echo "$1: ok"; else echo "$1: WRONG"; fi; }
within() { for _ in $(seq "$1"); do eval "$2" && return 0; sleep .2; done; return 1; }
services="forward console capture@ecg1"

systemd-sysusers
systemd-tmpfiles --create /usr/lib/tmpfiles.d/gateway.conf
mkdir -p /run/systemd/system/{console,capture@}.service.d
printf '[Service]\nWatchdogSec=2\n' > /run/systemd/system/console.service.d/quick.conf
# The sandbox must let the clock's state be read: -1 is a refusal.
cat > /usr/local/lib/clock-check.py <<'PY'
import ctypes
from gateway import clock
timex = clock._Timex()
assert ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) != -1
assert clock.boot_id() != "unknown"
PY
printf '[Service]\nExecStartPre=/usr/bin/python3 /usr/local/lib/clock-check.py\n' > /run/systemd/system/capture@.service.d/check.conf
systemctl daemon-reload

systemctl start $services;                       say "all three start and say that they are ready" $?
[ "$(systemctl is-active $services | sort -u)" = active ]; say "all three are active" $?
systemctl show -p StatusText console | grep -q 'http://127.0.0.1:8104/'; say "the status names the page" $?
python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8104/status.json').read().decode())" > /tmp/status
grep -q '"light"' /tmp/status;                   say "the page answers" $?
cat /tmp/status >&2

runuser -u gateway -- gateway acquire ecg1 --emergency --seconds 2 >&2; say "a recording is made through the running capture" $?
within 100 'ls /var/lib/gateway/instances/*/*.dcm >/dev/null 2>&1'; say "and wrapped by forward" $?
[ -z "$(find /var/lib/gateway /run/gateway ! -user gateway -o -type f -perm /077 -o -type d -perm /077)" ]
say "all of it is the user gateway's alone" $?

kill -STOP "$(systemctl show -p MainPID --value console)"
within 60 '[ "$(systemctl show -p NRestarts --value console)" -ge 1 ]'; say "the watchdog restarts a hung process" $?
kill -KILL "$(systemctl show -p MainPID --value capture@ecg1)"
within 60 '[ "$(systemctl show -p NRestarts --value capture@ecg1)" -ge 1 ] && systemctl is-active -q capture@ecg1'
say "a killed capture is back" $?
systemctl stop console; [ -S /run/gateway/forward.sock ]; say "one that stops leaves the others their sockets" $?
systemctl stop capture@ecg1; [ "$(systemctl show -p Result --value capture@ecg1)" = success ]; say "a stop is in order" $?

echo '[nonsense]' >> /etc/gateway/gateway.toml
systemctl start console 2>/dev/null; sleep 1
[ "$(systemctl show -p NRestarts --value console)/$(systemctl is-active console)" = 0/failed ]
say "a wrong configuration is not tried again and again" $?
journalctl -o cat --no-pager -u console | grep -q 'line [0-9]*: \[nonsense\] is unknown'; say "and the journal names its line" $?
journalctl -o cat --no-pager -u forward -u console -u capture@ecg1 >&2
