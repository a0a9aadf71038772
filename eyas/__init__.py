"""eyas: servers of systemd-nspawn containers from Python definitions."""
