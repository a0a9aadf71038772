#!/bin/sh
# Load the firewall at boot, and note what the kernel made of it, so that a later look can tell changes by hand.
set -eu
nft -f /etc/eyas/firewall.nft
mkdir -p /run/eyas
umask 077
nft -j list table inet eyas >/run/eyas/firewall.listing
rm -f /run/eyas/firewall.print
