#!/bin/sh
# Load the firewall at boot, and note what the kernel made of it, so that a later look can tell changes by hand.
set -eu
# What was prepared for this boot (eyas apply --boot): the names of the containers.
[ ! -e /var/lib/eyas/names.next ] || mv -f /var/lib/eyas/names.next /var/lib/eyas/names/hosts
nft -f /etc/eyas/firewall.nft
# The kernel has these settings only since it keeps track of connections.
/usr/lib/systemd/systemd-sysctl --prefix=/net/netfilter || :
mkdir -p /run/eyas
umask 077
{ nft -j list table inet eyas; nft -j list table bridge eyas; } >/run/eyas/firewall.listing
rm -f /run/eyas/firewall.print
