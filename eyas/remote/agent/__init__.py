"""The host's end: observes, applies, recovers. Runs on the host's own Python, standard library only."""
