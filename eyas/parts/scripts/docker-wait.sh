#!/bin/sh
# Waits until a container of Docker runs and answers on its published port.
# usage: docker-wait NAME PORT
set -eu
n=0
until [ "$(docker inspect --format '{{.State.Running}}' "$1" 2>/dev/null)" = true ] &&
    busybox wget -q -O /dev/null "http://127.0.0.1:$2/"; do
    n=$((n + 1))
    if [ "$n" -gt 300 ]; then
        echo "cannot see $1 answer on port $2 within 60 s" >&2
        exit 1
    fi
    sleep 0.2
done
