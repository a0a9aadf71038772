#!/bin/sh
# Keeps a Compose stack, and tells how it is.
# usage: eyas-compose run|apply|stop|check|state NAME
set -eu
PYTHONPATH=/usr/local/lib/eyas exec /usr/bin/python3 -B -m eyas_compose "$@"
