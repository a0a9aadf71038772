#!/bin/sh
# Removes what nothing refers to and is older than so many hours: containers that ended, images without a container,
# networks, caches of builds. Never a volume, and nothing with the label eyas.keep.
# usage: container-prune docker|podman HOURS
set -eu
engine=$1 age=until=$2h
code=0
"$engine" container prune --force --filter "$age" --filter 'label!=eyas.keep' || code=1
"$engine" image prune --force --all --filter "$age" --filter 'label!=eyas.keep' || code=1
"$engine" network prune --force --filter "$age" --filter 'label!=eyas.keep' || code=1
[ "$engine" != docker ] || docker builder prune --force --filter "$age" || code=1
exit $code
