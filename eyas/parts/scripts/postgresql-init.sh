#!/bin/sh
# Makes the cluster in an empty persistent directory, and nothing when there is one.
# usage: postgresql-init VERSION
set -eu
version=$1
base=/var/lib/postgresql
data=$base/$version/main

install -d -o postgres -g postgres -m 0755 "$base" "$base/$version" /var/log/postgresql
if [ -s "$data/PG_VERSION" ]; then
    # A rebuilt image may have given the account another id; the data follows the name.
    if [ "$(stat -c %U "$data")" != postgres ]; then
        chown -R postgres:postgres "$base"
    fi
    exit 0
fi
if [ -d "$data" ] && ! rmdir "$data" 2>/dev/null; then
    echo "cannot make a cluster in $data: it is not empty, and holds no cluster" >&2
    exit 1
fi
# initdb into a directory of its own, then one rename: a crash leaves no half cluster under the real name.
rm -rf "$data.new"
runuser -u postgres -- "/usr/lib/postgresql/$version/bin/initdb" --pgdata="$data.new" --auth-local=peer \
    --auth-host=reject --encoding=UTF8 --locale=C.UTF-8 --data-checksums --no-instructions >/dev/null
mv -T "$data.new" "$data"
sync "$base/$version"
