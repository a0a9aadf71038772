#!/bin/sh
# root-down NAME: take apart what root-up made, and what a killed systemd-nspawn left. May be run at any time when the
# container does not run, as often as one likes.
name=$1
run=/run/eyas
if [ -s "$run/carry/$name" ]; then
    "${0%/*}/carry" out "$name"
fi
# systemd-nspawn's lock of its root is named after the root's number, which each start has anew: it is never found again.
if [ "${SERVICE_RESULT-}" != success ] && lock=$(stat -c 'inode-%d:%i' "$run/roots/$name" 2>/dev/null); then
    rm -f "/run/systemd/nspawn/locks/$lock"
fi
for mount in "$run/roots/$name" "$run/layer/$name"; do
    # What is not empty is mounted, perhaps more than once after several unclean deaths. Busy mounts are detached and
    # go with their last user.
    while set -- "$mount"/* && { [ -e "$1" ] || [ -L "$1" ]; }; do
        umount -R "$mount" 2>/dev/null || umount -lR "$mount" 2>/dev/null || break
    done
done
export=/run/systemd/nspawn/unix-export/$name
if [ -e "$export" ]; then
    umount -l "$export" 2>/dev/null
    rmdir "$export" 2>/dev/null || rm -f "$export"
fi
# A supervisor that was killed is still registered, and machined keeps it for as long as the unit is not inactive:
# through its next start, which it would refuse. So it is told.
if [ -e "/run/systemd/machines/$name" ]; then
    busctl --timeout=10 call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager \
        UnregisterMachine s "$name" >/dev/null 2>&1
fi
rm -f "$run/prints/$name.json" "$run/prints/$name.unit" "$run/prints/$name.made" "$run/probes/$name" "/var/lib/eyas/scratch/$name.img"
rmdir "$run/roots/$name" "$run/layer/$name" 2>/dev/null
for mount in "$run/roots/$name" "$run/layer/$name"; do
    # What is there all the same is mounted and empty: root-up was ended right after the mount.
    while [ -d "$mount" ] && umount "$mount" 2>/dev/null; do
        rmdir "$mount" 2>/dev/null
    done
done
exit 0
