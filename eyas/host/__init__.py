"""The real system. The only layer that starts processes, mounts, and writes outside its own memory."""
