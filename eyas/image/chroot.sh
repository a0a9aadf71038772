#!/bin/sh
# Runs a command on top of a read-only tree, in namespaces of its own: nothing is mounted outside, no network, and
# when the caller dies, all of it goes away. What the command changes is in WORK/upper afterwards.
#
# usage: chroot.sh LOWER WORK COMMAND...
#   LOWER   the tree below (never written)
#   WORK    has the empty folders upper, work and root, and files, which is shown read-only as /run/eyas inside
set -eu
umask 022
lower=$1 work=$2
shift 2
root=$work/root

mount --make-rprivate /
# volatile: nobody needs this folder after a crash, so nothing is synced. The other options keep upper plain:
# whole files, no references to the lower tree, so that it can be laid over a checkout by hand.
mount -t overlay eyas-build "$root" \
  -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work,volatile,redirect_dir=off,metacopy=off,index=off"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=755,size=1m dev "$root/dev"
for node in null zero full random urandom tty; do
  : > "$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir "$root/dev/shm" "$root/dev/pts" "$root/run/eyas" "$root/run/lock"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount --bind "$work/files" "$root/run/eyas"
mount -o remount,bind,ro "$root/run/eyas"
hostname localhost
exec chroot "$root" "$@"
