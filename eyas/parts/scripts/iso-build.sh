#!/bin/sh
# Makes a bootable ISO: Debian's kernel, a small initrd whose first process is a script, and a tree of files as an
# image made on a loop device.
# usage: iso-build OUTPUT INIT [TREE]
set -eu
output=$1
init=$2
tree=${3:-}
work=$(mktemp -d /var/tmp/iso-build.XXXXXXXX)
device=
tidy() {
    umount "$work/mounted" 2>/dev/null || true
    [ -z "$device" ] || losetup --detach "$device"
    rm -rf "$work"
}
trap tidy EXIT
mkdir -p "$work/disk/boot/grub" "$work/disk/live" "$work/init/bin" "$work/init/proc" "$work/init/sys" "$work/init/dev"

kernel=
for kernel in /boot/vmlinuz-*; do :; done
cp "$kernel" "$work/disk/boot/vmlinuz"

cp /bin/busybox "$work/init/bin/busybox"
for name in sh mount cat echo poweroff sleep; do ln -s busybox "$work/init/bin/$name"; done
install -m 0755 "$init" "$work/init/init"
(cd "$work/init" && find . | cpio --quiet -o -H newc) | gzip -1 >"$work/disk/boot/initrd"

if [ -n "$tree" ]; then
    truncate -s "$(($(du -sm "$tree" | cut -f1) + 8))M" "$work/disk/live/root.img"
    mke2fs -q -F -t ext4 -O ^has_journal "$work/disk/live/root.img"
    device=$(losetup --find --show "$work/disk/live/root.img")
    mkdir "$work/mounted"
    mount "$device" "$work/mounted"
    cp -a "$tree/." "$work/mounted/"
    umount "$work/mounted"
    losetup --detach "$device"
    device=
fi

cat >"$work/disk/boot/grub/grub.cfg" <<'END'
set timeout=0
serial --unit=0 --speed=115200
terminal_output serial
menuentry live {
    linux /boot/vmlinuz console=ttyS0 quiet panic=-1
    initrd /boot/initrd
}
END
grub-mkrescue -quiet -o "$work/image.iso" "$work/disk" 2>"$work/said" || { cat "$work/said" >&2; exit 1; }
mv "$work/image.iso" "$output.new"
mv "$output.new" "$output"
echo "$output"
