"""Doing what a plan says on a host, with a way back: journal, run, recover, history. Standard library only."""
