#!/bin/sh
# The command of the package builder; its modules are beside the other scripts of eyas.
set -eu
exec /usr/bin/python3 -Ic 'import sys
sys.path.insert(0, "/usr/local/lib/eyas")
sys.argv[0] = "/usr/local/bin/package-builder"
from builder.main import main
sys.exit(main(sys.argv[1:]))' "$@"
