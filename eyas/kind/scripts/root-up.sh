#!/bin/sh
# root-up NAME: assemble the root of a container from read-only layers and an empty writable one.
#
# Run by the container's unit before systemd-nspawn; needs nothing of eyas but /etc/eyas/containers/NAME.env.
# Result: /run/eyas/roots/NAME (merged root), /run/eyas/layer/NAME (tmpfs or image file that holds what is written),
# /run/eyas/prints/NAME.json and NAME.unit (what this start was made from).
# Few processes on purpose: each costs a millisecond, and every start of every container waits for them.
set -eu
umask 022
# Told to end, it ends after the program that it waits for: a mount that comes after root-down would stay.
trap 'exit 143' TERM
fail() { echo "cannot assemble the root of $name: $*" >&2; exit 1; }

name=$1
env=/etc/eyas/containers/$name.env spec=/etc/eyas/containers/$name.json
unit=/etc/systemd/system/systemd-nspawn@$name.service
if [ -e "/run/eyas/now/$name.json" ]; then
    # Something else is prepared for the next boot of the host: until then it is what it was.
    env=/run/eyas/now/$name.env spec=/run/eyas/now/$name.json
    unit=/run/systemd/system.control/systemd-nspawn@$name.service
fi
[ -r "$env" ] || fail "no $env"
. "$env"
run=/run/eyas
root=$run/roots/$name layer=$run/layer/$name

# 1. What an unclean death left: mounts of ours, nspawn's own, and a registration.
if [ -e "$layer" ] || [ -e "$root" ] || [ -e "/run/systemd/nspawn/unix-export/$name" ] ||
    [ -e "/run/systemd/machines/$name" ]; then
    "${0%/*}/root-down" "$name"
fi

if [ -e "$run/carry/$name.failed" ]; then
    fail "$(cat "$run/carry/$name.failed")"
fi

# 2. What is shown in the container from outside. A directory with data is made by an apply and never here: when it
#    is missing, its disk is, and a service would begin anew on an empty directory.
while read -r kind mode uid gid source; do
    case $kind in
    data) [ -e "$source" ] || fail "the data at $source is missing (is its disk mounted?)" ;;
    made) [ -e "$source" ] || { mkdir -p "$source" && chown "$uid:$gid" "$source" && chmod "$mode" "$source"; } ;;
    esac
done <<END
$BINDS
END
[ -d "/var/log/journal/$MACHINE_ID" ] || mkdir -p "/var/log/journal/$MACHINE_ID"
identity=/var/lib/eyas/state/${IDENTITY:-$name}/ssh
[ -d "$identity" ] || mkdir -p -m 0700 "$identity"
[ -d /var/lib/eyas/names ] || mkdir -p /var/lib/eyas/names
for node in $LOOPS; do
    [ -b "$node" ] || mknod -m 0660 "$node" b 7 "${node#/dev/loop}"
done
for lower in $LOWERS; do
    [ -d "$lower" ] || fail "no $lower (eyas apply puts it back)"
done

# 3. The writable layer, empty and with an end.
mkdir -p "$root" "$layer" $run/prints
case $BACKING in
ram) mount -t tmpfs -o "size=$SIZE,mode=0755,nr_inodes=$INODES" "eyas-$name" "$layer" ;;
disk)
    image=/var/lib/eyas/scratch/$name.img
    mkdir -p -m 0700 /var/lib/eyas/scratch
    rm -f "$image"
    truncate -s "$SIZE" "$image"
    # No journal and no reserve: the file system never outlives the container.
    mke2fs -q -F -t ext4 -O ^has_journal -m 0 -E lazy_itable_init=1,nodiscard,root_owner=0:0 "$image"
    mount -t ext4 -o loop,discard,noatime "$image" "$layer"
    ;;
esac

# 4. The layers, the first one on top, seen through the container's range of ids: nothing is copied, no owner is
#    rewritten. The upper's second entry maps the host's root, without which the overlay would be read-only.
lowers=
if [ "$BASE" = 0 ]; then
    mkdir "$layer/rw" "$layer/rw/upper" "$layer/rw/upper/etc" "$layer/rw/work"
    made=$layer/rw/upper
    for lower in $LOWERS; do lowers=$lowers:$lower; done
else
    mkdir "$layer/rw" "$layer/raw" "$layer/raw/upper" "$layer/raw/upper/etc" "$layer/raw/work" "$layer/0" "$layer/1"
    made=$layer/raw/upper
    mount --bind -o "X-mount.idmap=b:0:$BASE:65536 b:65536:0:1" "$layer/raw" "$layer/rw"
    count=0
    for lower in $LOWERS; do
        mount --bind -o "ro,X-mount.idmap=b:0:$BASE:65536" "$lower" "$layer/$count"
        lowers=$lowers:$layer/$count
        count=$((count + 1))
    done
fi

# A sysfs for who makes containers inside (see nests() in text.py). It is that of a network where nothing is: none of
# the host's is to be seen in it.
if [ -n "${NESTS:-}" ]; then
    mkdir "$layer/sys"
    unshare --net mount -t sysfs -o nosuid,nodev,noexec sysfs "$layer/sys"
fi

# 5. Name servers of the host as they are now, unless the definition has its own. A stub on a loopback address of the
#    host answers nobody in a container.
if ! [ -e "${LOWERS%% *}/etc/resolv.conf" ] && ! [ -L "${LOWERS%% *}/etc/resolv.conf" ]; then
    for servers in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
        [ -s $servers ] || continue
        cat $servers >"$made/etc/resolv.conf"
        break
    done
fi

# 6. The second of two generations: who it is and where it is, instead of what the layer says for the first.
if [ -n "${READDRESS:-}" ]; then
    mkdir "$made/etc/eyas"
    sed "$READDRESS" "${LOWERS%% *}/etc/eyas/address" >"$made/etc/eyas/address"
    echo "$MACHINE_ID" >"$made/etc/machine-id"
fi

mount -t overlay -o "lowerdir=${lowers#:},upperdir=$layer/rw/upper,workdir=$layer/rw/work" "eyas-$name" "$root"
[ -w "$root" ] || fail "its overlay is read-only"
if [ -s "$run/carry/$name.back" ]; then
    "${0%/*}/carry" back "$name"
fi

# 7. What it is held to.
. limits-shown.sh

# 8. What this start was made from, so that a later plan knows what is in effect.
{
    printf '{"invocation":"%s","spec":' "${INVOCATION_ID:-}"
    cat "$spec"
    printf '}\n'
} >"$run/prints/$name.json"
cat "$unit" >"$run/prints/$name.unit"
