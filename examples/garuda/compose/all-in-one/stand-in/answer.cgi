#!/bin/busybox sh
# The page of a stand-in that is shown none of its own.
echo 'Content-Type: text/html'
echo
echo "<title>$TITLE</title>"
