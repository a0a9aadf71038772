#!/bin/sh
# A mirror of a package repository by rsync, of use to its own clients at any moment: first what a database may name,
# then the states of the databases, then the links that lead to them, and at the end what nobody names any more.
# usage: rsync-mirror SOURCE DIRECTORY
set -eu
from=${1%/}/ to=${2%/}/
mkdir -p "$to"
get() { rsync --recursive --links --times --perms --delay-updates --timeout=120 "$@" "$from" "$to"; }
get --no-links --exclude=.db
get --no-links --include='*/' --include='.db/**' --exclude='*'
get
get --delete-after
