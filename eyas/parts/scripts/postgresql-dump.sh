#!/bin/sh
# One compressed dump per database and weekday, so that seven days are kept.
# usage: postgresql-dump DIRECTORY DATABASE...
set -eu
umask 077
to=$1
shift
day=$(date +%u)
pg_dumpall --globals-only >"$to/roles.$day.sql.new"
mv "$to/roles.$day.sql.new" "$to/roles.$day.sql"
for database in "$@"; do
    pg_dump --format=custom --compress=6 --file="$to/$database.$day.dump.new" "$database"
    mv "$to/$database.$day.dump.new" "$to/$database.$day.dump"
done
