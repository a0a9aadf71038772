#!/bin/sh
# A clean root for a nested container, in RAM: the tools of this one (/usr, shown read-only), and nothing of its
# services, users or state.
# usage: nested-root DIRECTORY NAME
set -eu
root=$1
name=$2
rm -rf "$root"
mkdir -p /run/eyas-proc /run/eyas-sysfs # they are to be shown; a container that started before eyas knew of them has none
mkdir -p "$root/etc/systemd/system" "$root/usr" "$root/var/lib" "$root/var/log" "$root/var/tmp" "$root/root" \
    "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/build"
chmod 1777 "$root/tmp" "$root/var/tmp"
ln -s usr/bin "$root/bin"
ln -s usr/sbin "$root/sbin"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
ln -s /run "$root/var/run"
for path in alternatives apt bash.bashrc ca-certificates ca-certificates.conf dbus-1 debian_version default dpkg \
    environment host.conf ld.so.cache ld.so.conf ld.so.conf.d login.defs nsswitch.conf pam.conf pam.d \
    profile protocols security services shells ssl; do
    [ ! -e "/etc/$path" ] || cp -a "/etc/$path" "$root/etc/$path"
done
cp -L /usr/lib/os-release "$root/etc/os-release" # systemd-nspawn looks for it before it mounts /usr
cp -aL /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
cp -aL /etc/hosts "$root/etc/hosts" 2>/dev/null || true
# accounts of the system (ids below 1000), not the people
for table in passwd group shadow gshadow; do
    cp -a "/etc/$table" "$root/etc/$table"
done
mkdir -p "$root/var/lib/dpkg"
cp -a /var/lib/dpkg/status "$root/var/lib/dpkg/status"
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"

echo "$name" >"$root/etc/hostname"
# a machine id of its own: an empty one would make this a first boot, which enables every unit there is
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
touch "$root/etc/.updated" "$root/var/.updated"
units=$root/etc/systemd/system
ln -s /usr/lib/systemd/system/multi-user.target "$units/default.target"
# what a chroot has no use for; each mount unit costs up to a second (systemd reads mounts five times a second at most)
for unit in console-getty.service dev-hugepages.mount dev-mqueue.mount getty.target ldconfig.service run-lock.mount \
    sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount tmp.mount \
    systemd-ask-password-console.path systemd-ask-password-wall.path systemd-importd.socket \
    systemd-journal-catalog-update.service systemd-journal-flush.service systemd-logind.service \
    systemd-networkd.service systemd-remount-fs.service systemd-sysext.socket systemd-sysusers.service \
    systemd-update-done.service systemd-update-utmp.service systemd-user-sessions.service var-lib-machines.mount; do
    ln -s /dev/null "$units/$unit"
done
mkdir -p "$root/etc/systemd/journald.conf.d"
mkdir -p "$root/etc/systemd/system.conf.d"
printf '[Manager]\nShowStatus=no\nDefaultTimeoutStopSec=5s\n' >"$root/etc/systemd/system.conf.d/50-eyas.conf"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n' >"$root/etc/systemd/journald.conf.d/50-eyas.conf"

. limits-shown.sh
