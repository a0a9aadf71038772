#!/bin/sh
# guard FOLDER: put back what may have cut the operator's connection, unless somebody confirmed that it did not.
#
# Run by a timer that was set before the first such step, and written there at the same time; needs neither eyas nor
# Python, nor a network. Only the way to the host is put back here; then recovery of eyas does the rest.
#   deadline   seconds of /proc/uptime; moves on while the run is at work     verdict   who decided: confirmed, over, fired
#   list       what was there: WHAT MODE UID GID SAVED PATH, tabs between     actions   what has to notice
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd "$1" || exit 1
run=$2

while [ ! -e verdict ]; do
    read -r up _ </proc/uptime
    read -r deadline <deadline || deadline=0
    [ "${up%.*}" -lt "$deadline" ] || break
    sleep 1
done

# Whoever makes the verdict first has decided.
echo fired >verdict.guard
ln verdict.guard verdict 2>/dev/null || exit 0
echo "eyas: run $run was not confirmed: going back" >&2

tab=$(printf '\t')
while IFS=$tab read -r what mode uid gid saved path; do
    case $what in
    file)
        mkdir -p "${path%/*}"
        cp "$saved" "$path.eyas-guard" && chown "$uid:$gid" "$path.eyas-guard" && chmod "$mode" "$path.eyas-guard" &&
            mv -f "$path.eyas-guard" "$path"
        ;;
    link) ln -sfn "$saved" "$path" ;;
    absent) rm -f "$path" ;;
    kernel) printf '%s\n' "$saved" >"$path" ;;
    esac
done <list

while read -r what name; do
    case $what in
    firewall) nft -f firewall.nft ;;
    network) networkctl reload ;;
    systemd) systemctl daemon-reload ;;
    restart) systemctl restart --no-block "$name" ;;
    stop) systemctl stop --no-block "$name" ;;
    ssh) systemctl try-reload-or-restart --no-block ssh.service sshd.service ;;
    esac
done <actions
sync
: >restored

# The run itself goes back when it still lives; otherwise this does it, and is in nobody's way.
systemd-run --quiet --no-block --collect --unit="eyas-guard-recover-$run" \
    /usr/bin/python3 -I -S -B /usr/local/lib/eyas/agent/current/run.py recover
exit 0
