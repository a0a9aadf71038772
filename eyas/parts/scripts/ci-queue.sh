#!/bin/bash
# Takes jobs from SPOOL/incoming, the oldest first, and runs each in a root of its own, which goes with it.
# usage: ci-queue SPOOL, with SIZE (bytes of a job's root), LOG (bytes of its log), AT_ONCE
set -eu
spool=$1
roots=/run/ci
mkdir -p "$spool/incoming" "$spool/taken" "$spool/done" "$roots"

exec {idle}<> <(:) # nobody writes there
pause() { read -r -t "$1" -u "$idle" || true; }

# $1 name, $2 how it ended. The status is written last: who sees it sees all of it.
finish() {
    mkdir -p "$spool/done/$1"
    printf '%s\n' "$2" >"$spool/done/$1/.status"
    mv "$spool/done/$1/.status" "$spool/done/$1/status"
    rm -rf "${spool:?}/taken/$1"
}

clear_root() {
    local place=$roots/$1
    umount "$place/root" 2>/dev/null || umount -l "$place/root" 2>/dev/null || true
    rm -rf --one-file-system "$place"
}

# An empty file system in RAM, with what programs look for in /etc; the unit shows /usr in it, read-only. Nothing of how
# jobs are run, of who may log in, of other jobs.
make_root() {
    local root=$roots/$1/root name
    mkdir -p "$root" &&
        mount -t tmpfs -o "size=$SIZE,mode=0755,nosuid,nodev" ci-job "$root" &&
        mkdir -p "$root"/{etc,usr,proc,sys,dev,run,tmp,var/tmp,var/lib/dpkg,root,srv,home} &&
        chmod 1777 "$root/tmp" "$root/var/tmp" && chmod 0700 "$root/root" &&
        ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root/" || return
    for name in alternatives bash.bashrc ca-certificates ca-certificates.conf debian_version default/locale gai.conf \
        host.conf ld.so.cache ld.so.conf ld.so.conf.d magic mime.types nsswitch.conf os-release profile profile.d \
        protocols python3 python3.13 resolv.conf services shells ssl; do
        [ ! -e "/etc/$name" ] || cp -a --parents "/etc/$name" "$root" || return
    done
    rm -rf "$root/etc/ssl/private" "$root/etc/resolv.conf"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
    getent passwd root nobody ci-job >"$root/etc/passwd"
    getent group root nogroup ci-job >"$root/etc/group"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
    echo job >"$root/etc/hostname"
    : >"$root/etc/machine-id"
    install -d -m 0755 -o ci-job -g ci-job "$root/build"
    install -m 0755 "$spool/taken/$1" "$root/build/.job"
}

# How a job ended: its exit status, or what systemd calls it (timeout, oom-kill, signal).
outcome() {
    local result='' status=''
    while IFS='=' read -r key value; do
        case $key in Result) result=$value ;; ExecMainStatus) status=$value ;; esac
    done < <(systemctl show --property=Result,ExecMainStatus "$1")
    case $result in
    success | exit-code) echo "$status" ;;
    signal) echo "signal $status" ;;
    *) echo "$result" ;;
    esac
    systemctl reset-failed "$1" 2>/dev/null || true
}

run() {
    local name=$1 unit=ci-job@$1.service how
    clear_root "$name"
    if ! make_root "$name"; then
        clear_root "$name"
        finish "$name" "cannot make its root"
        return
    fi
    mkdir -p "$spool/done/$name"
    mkfifo "$roots/$name/log"
    # No more of it is kept than there is place for; a job that says more is not hindered.
    { head -c "$LOG"; cat >/dev/null; } <"$roots/$name/log" >"$spool/done/$name/log" &
    exec 9>"$roots/$name/log" # so that the reader sees no end before the job begins
    how="cannot start it"
    if systemctl start "$unit"; then
        while systemctl --quiet is-active "$unit"; do pause 0.1; done
        how=$(outcome "$unit")
    fi
    exec 9>&-
    systemctl stop "$unit" 2>/dev/null || true
    wait $! || true
    clear_root "$name"
    finish "$name" "$how"
}

# What ran when this runner stopped is not done again: nobody knows how far it came.
for left in "$spool"/taken/*; do
    [ -e "$left" ] || continue
    systemctl stop "ci-job@${left##*/}.service" 2>/dev/null || true
    clear_root "${left##*/}"
    finish "${left##*/}" "lost: the runner stopped"
done

running=0
while :; do
    next=
    for path in "$spool"/incoming/*; do
        if [ -L "$path" ] || ! [ -f "$path" ]; then continue; fi
        if [ -z "$next" ] || [ "$path" -ot "$next" ]; then next=$path; fi
    done
    if [ -z "$next" ]; then
        pause 0.2
        continue
    fi
    next=${next##*/}
    if ! [[ $next =~ ^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$ ]]; then
        rm -f "$spool/incoming/$next"
        continue
    fi
    if [ "$running" -ge "$AT_ONCE" ]; then
        wait -n || true
        running=$((running - 1))
    fi
    mv "$spool/incoming/$next" "$spool/taken/$next"
    run "$next" &
    running=$((running + 1))
done
