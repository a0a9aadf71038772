#!/bin/sh
# Makes a small image in place, without any registry: a static busybox and the files of the service.
# usage: docker-publish NAME   (files in /etc/eyas/docker/NAME)
set -eu
name=$1
from=/etc/eyas/docker/$name
digest=$( (cat /bin/busybox; cd "$from" && find . -type f | sort | xargs cat) | sha256sum | cut -c1-16)
image=eyas/$name:$digest

docker rm --force "$name" >/dev/null 2>&1 || true # left over from an unclean death
if ! docker image inspect "$image" >/dev/null 2>&1; then
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/www"
    cp /bin/busybox "$root/bin/busybox"
    ln -s busybox "$root/bin/sh"
    echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
    cp -R "$from/." "$root/www"
    chmod -R a+rX "$root"
    tar --create --numeric-owner --owner=0 --group=0 --directory="$root" . | docker import - "$image" >/dev/null
fi
docker tag "$image" "eyas/$name:current"
