#!/bin/sh
# Makes the declared roles and databases that are missing. Never drops one.
set -eu
n=0
until pg_isready --quiet; do
    n=$((n + 1))
    if [ "$n" -gt 300 ]; then
        echo "cannot make the databases: the server did not answer within 60 s" >&2
        exit 1
    fi
    sleep 0.2
done
exec psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --dbname=postgres --file=/etc/eyas/postgresql/databases.sql
