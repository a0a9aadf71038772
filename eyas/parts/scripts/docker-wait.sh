#!/bin/sh
# Waits until a service of Docker answers on its published port.
# usage: docker-wait PORT
set -eu
n=0
until busybox wget -q -O /dev/null "http://127.0.0.1:$1/"; do
    if [ -n "${MAINPID:-}" ] && ! kill -0 "$MAINPID" 2>/dev/null; then
        echo "cannot see an answer on port $1: docker run has ended" >&2
        exit 1
    fi
    n=$((n + 1))
    if [ "$n" -gt 300 ]; then
        echo "cannot see an answer on port $1 within 60 s" >&2
        exit 1
    fi
    sleep 0.2
done
