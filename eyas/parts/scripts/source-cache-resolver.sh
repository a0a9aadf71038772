#!/bin/sh
# Tells nginx the container's name servers (it does not read resolv.conf): once for IPv6, once for IPv4, so that what
# fetches can try the one before the other.
set -eu
place=/run/source-cache
servers=
while read -r key value _; do
    [ "$key" = nameserver ] || continue
    case "$value" in
    *:*) servers="$servers [$value]" ;;
    *) servers="$servers $value" ;;
    esac
done </etc/resolv.conf
if [ -z "$servers" ]; then
    echo "source-cache: no name server in /etc/resolv.conf: nothing can be fetched" >&2
    servers=" 127.0.0.1" # other sites of this nginx go on
fi
mkdir -p "$place"
for family in 4 6; do
    other=$((10 - family))
    echo "resolver$servers ipv$other=off;" >"$place/.ipv$family.new"
    mv "$place/.ipv$family.new" "$place/ipv$family.conf"
done
