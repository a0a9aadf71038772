#!/bin/sh
# Makes an image with a file system, attaches it to a loop device, mounts it and reads it back.
# usage: loop-check DIRECTORY
set -eu
work=$(mktemp -d "$1/loop-check.XXXXXXXX")
device=
tidy() {
    umount "$work/mounted" 2>/dev/null || true
    [ -z "$device" ] || losetup --detach "$device"
    rm -rf "$work"
}
trap tidy EXIT
mkdir "$work/tree" "$work/mounted"
proof="made in $(cat /etc/hostname)"
echo "$proof" >"$work/tree/proof"
mke2fs -q -t ext4 -d "$work/tree" "$work/image" 8M
device=$(losetup --find --show "$work/image")
mount -o ro "$device" "$work/mounted"
if [ "$(cat "$work/mounted/proof")" != "$proof" ]; then
    echo "cannot read back through $device what was written" >&2
    exit 1
fi
echo "loop device $device works"
