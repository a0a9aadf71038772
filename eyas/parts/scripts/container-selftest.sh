#!/bin/sh
# Proves that containers work: makes a tiny image in place, runs it with a published port, asks it by that, removes it.
# usage: container-selftest docker|podman
# Says in one line what does not work, and what was said about it. Ends with 78 where waiting will not help.
set -eu
engine=$1
name=eyas-selftest
work=

fail() { # what, what was said: its last line is not always the one that tells
    cause=$(printf '%s\n' "${2:-}" | grep -iE 'error|fail|cannot|denied|unable|not |no ' | tail -n 1) || true
    cause=${cause:-$(printf '%s\n' "${2:-}" | grep . | tail -n 1)} || true
    # Who called whom is known; what stands last is what happened.
    cause=$(printf '%s' "$cause" | sed 's/.*OCI runtime create failed: //; s/.*Error response from daemon: //; s/^Error: //')
    [ "${#cause}" -le 120 ] || cause=...$(printf '%s' "$cause" | tail -c 117)
    echo "$engine cannot $1${cause:+: $cause}" >&2
    exit "${3:-1}"
}
tidy() {
    [ -z "$work" ] || rm -rf "$work"
    "$engine" rm --force "$name" >/dev/null 2>&1 || true
}
trap tidy EXIT

# One at a time: the probe of the start, a timer and a person may meet.
exec 9>"/run/lock/$name.lock"
flock 9

if [ "$engine" = docker ]; then
    state=$(systemctl is-active docker.service) || true
    if [ "$state" = failed ]; then
        said=$(journalctl --quiet --unit=docker.service --boot --output=cat --lines=60 |
            grep -E 'failed to start daemon|level=fatal|unable to configure|invalid|error' | tail -n 1) || true
        fail "start its daemon" "${said:-docker.service has failed}" 78
    fi
    [ "$state" = active ] || fail "answer" "docker.service is $state"
fi

# A container that an unclean death left would have the name.
said=$("$engine" rm --force "$name" 2>&1) || case $said in *[Nn]"o such container"*) ;; *) fail "answer" "$said" ;; esac

page="eyas $(cksum </etc/machine-id)"
image=eyas/selftest:$(cksum </bin/busybox | tr ' ' -)
if ! "$engine" image inspect "$image" >/dev/null 2>&1; then
    for old in $("$engine" image ls --quiet eyas/selftest 2>/dev/null); do # of another busybox
        "$engine" image rm --force "$old" >/dev/null 2>&1 || true
    done
    work=$(mktemp -d)
    mkdir -p "$work/bin" "$work/etc" "$work/www"
    cp /bin/busybox "$work/bin/busybox"
    echo 'root:x:0:0:root:/:/bin/busybox' >"$work/etc/passwd"
    said=$(tar --create --numeric-owner --owner=0 --group=0 --directory="$work" . |
        "$engine" import --change 'LABEL eyas.keep=yes' - "$image" 2>&1) || fail "make an image" "$said"
fi

tries=0
# shellcheck disable=SC2016  # for the shell in there
until said=$("$engine" run --detach --name "$name" --stop-signal=KILL --publish 80 "$image" \
    /bin/busybox sh -c 'echo "$1" >/www/index.html; exec /bin/busybox httpd -f -p 80 -h /www' sh "$page" 2>&1); do
    tries=$((tries + 1))
    [ "$tries" -lt 3 ] || fail "run a container" "$said" 78
    "$engine" rm --force "$name" >/dev/null 2>&1 || true
    sleep 0.5
done
said=$("$engine" port "$name" 80/tcp 2>&1) || fail "publish a port" "$said"
port=${said##*:}

# By an address of this container, as others come; by loopback, as its own services do.
own=$(ip -4 -oneline address show dev host0 scope global 2>/dev/null | sed -n '1s/.* inet \([0-9.]*\).*/\1/p')
for address in ${own:-} 127.0.0.1; do
    tries=0
    until said=$(busybox wget -q -T 2 -O - "http://$address:$port/" 2>&1) && [ "$said" = "$page" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 40 ] || fail "publish a port" "no answer at $address:$port (${said:-nothing was said})"
        sleep 0.05
    done
done

said=$("$engine" rm --force "$name" 2>&1) || fail "remove a container" "$said"
echo "$engine runs a container, and publishes its port"
