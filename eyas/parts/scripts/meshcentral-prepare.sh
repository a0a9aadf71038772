#!/bin/sh
# The directories of MeshCentral, and its configuration where it looks for it.
# usage: meshcentral-prepare DIRECTORY
set -eu
umask 077
mkdir -p "$1/meshcentral-data" "$1/meshcentral-files" "$1/meshcentral-recordings"
ln -sfn /etc/meshcentral/config.js "$1/meshcentral-data/config.json"
