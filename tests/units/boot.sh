#!/bin/bash
# boot.sh ROOTFS COMMAND...: boots ROOTFS's systemd as PID 1 in fresh namespaces (no network but lo, cgroup subtree
# of its own), runs COMMAND inside once it is up, and ends it. Needs root; no container program, no VM.
set -u
root=$(realpath "$1"); shift
base=/sys/fs/cgroup; [ -d $base/unified ] && base=$base/unified
group=$base/gateway-units-$$
mkdir "$group" || exit 125
trap 'find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null' EXIT
(
    echo "$BASHPID" > "$group/cgroup.procs"
    exec unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup --propagation private bash -c '
        root=$1
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount -t tmpfs tmpfs "$root/run"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        for n in null zero full random urandom tty; do : > "$root/dev/$n"; mount --bind "/dev/$n" "$root/dev/$n"; done
        mkdir -p "$root/dev/pts" "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
        ln -s pts/ptmx "$root/dev/ptmx"; ln -s /proc/self/fd "$root/dev/fd"
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
        mkdir -p "$root/run/old"; cd "$root"; pivot_root . run/old; umount -l /run/old; rmdir /run/old
        ip link set lo up
        exec env -i container=units PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal
    ' - "$root"
) &
init=
for _ in $(seq 200); do
    init=$(head -n1 "$group/init.scope/cgroup.procs" 2>/dev/null)
    [ -n "$init" ] && break
    sleep .1
done
[ -n "$init" ] || { echo "systemd did not come up" >&2; exit 125; }
for _ in $(seq 200); do
    case $(nsenter -t "$init" -a systemctl is-system-running 2>/dev/null) in running|degraded) break ;; esac
    sleep .1
done
nsenter -t "$init" -a "$@"; result=$?
kill -9 "$init"; wait 2>/dev/null; sleep .3
exit $result
