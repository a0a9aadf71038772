"""A builder of packages inside a container: the queue, clean roots, sources, signatures, the repository.

These modules run on the container's own Python, with its standard library alone; they know nothing of eyas. What
they are told stands in /etc/eyas/builder.json (see `settings`). All state is files whose appearance is a rename, so
that whoever is killed at whatever moment leaves either what was before or what comes after:

    queue/ID.json -> running/ID.json -> staged/ID/ (signed packages) -> the repository -> done/ID.json
"""
