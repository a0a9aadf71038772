#!/bin/sh
# Proves that nested containers work: boots one from a clean root in this container, under limits of its own, lets it
# say who it is, and takes it away. Says in one line what does not work, and what was said about it.
# usage: nested-selftest
set -eu
name=eyas-selftest
unit=$name.service
root=/var/lib/eyas-nested/$name
lib=/usr/local/lib/eyas

fail() { # what, what was said
    cause=$(printf '%s\n' "${2:-}" | grep . | tail -n 1 | tail -c 120) || true
    echo "systemd-nspawn cannot $1${cause:+: $cause}" >&2
    exit 1
}
tidy() {
    systemctl stop "$unit" >/dev/null 2>&1 || true
    systemctl reset-failed "$unit" >/dev/null 2>&1 || true
    rm -rf "$root"
}

# One at a time: a start, a timer and a person may meet.
exec 9>"/run/lock/$name-nested.lock"
flock 9
trap tidy EXIT
tidy

said=$("$lib/nested-root" "$root" "$name" 2>&1) || fail "have a clean root" "$said"
cat >"$root/etc/systemd/system/$unit" <<'END'
[Unit]
Description=What a nested container says of itself
AllowIsolate=yes
SuccessAction=exit-force
FailureAction=exit-force

[Service]
Type=oneshot
ExecStart=sh -c 'hostname >/said && cat /proc/1/comm >>/said && touch /build/written'
END
said=$(systemd-run --quiet --wait --collect --pipe --unit="$unit" --property=Delegate=yes \
    --property=DelegateSubgroup=supervisor --property=KillMode=mixed --property=RuntimeMaxSec=60 \
    --property=TasksMax=100 --property=MemoryMax=512M -- \
    systemd-nspawn --quiet --keep-unit --boot --settings=no --private-network --link-journal=no \
    --directory="$root" --machine="$name" --bind-ro=/usr --bind-ro=/run/eyas-proc --bind-ro=/run/eyas-sysfs -- \
    --unit="$unit" 2>&1 </dev/null) ||
    fail "boot a nested container" "$said"
if [ "$(cat "$root/said" 2>/dev/null)" != "$name
systemd" ] || ! [ -e "$root/build/written" ]; then
    fail "run a program in a nested container" "$said"
fi
echo "systemd-nspawn boots a nested container"
