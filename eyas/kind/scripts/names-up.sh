#!/bin/sh
# Whom the host asks for names, as a file for containers that are not to ask the host: without those that only the host
# itself can ask. Run before the host's name server starts, and at each reload of it.
set -eu
folder=/var/lib/eyas/names
[ -d "$folder" ] || mkdir -p "$folder"
for servers in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
    [ -s "$servers" ] || continue
    grep -Ev '^[[:space:]]*nameserver[[:space:]]+(127\.|::1|localhost)' "$servers" >"$folder/.outside.new" || :
    mv -f "$folder/.outside.new" "$folder/outside.conf"
    break
done
# The names, where the name server may read them: it is not root.
mkdir -p -m 0755 /run/eyas-names
if [ -e "$folder/hosts" ]; then
    cp "$folder/hosts" /run/eyas-names/.hosts.new
    chmod 0644 /run/eyas-names/.hosts.new
    mv -f /run/eyas-names/.hosts.new /run/eyas-names/hosts
fi
