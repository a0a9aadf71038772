#!/bin/sh
# Makes an image with a file system from a directory, attaches it to a loop device and reads it back through that.
# usage: loop-check DIRECTORY
set -eu
work=$(mktemp -d "$1/loop-check.XXXXXXXX")
device=
trap '[ -z "$device" ] || losetup --detach "$device"; rm -rf "$work"' EXIT
mkdir "$work/tree"
echo "made in $(hostname)" >"$work/tree/proof"
mke2fs -q -t ext4 -d "$work/tree" "$work/image" 8M
device=$(losetup --find --show "$work/image")
seen=$(debugfs -R 'cat /proof' "$device" 2>/dev/null)
if [ "$seen" != "made in $(hostname)" ]; then
    echo "cannot read back through $device: $seen" >&2
    exit 1
fi
echo "loop device $device works"
