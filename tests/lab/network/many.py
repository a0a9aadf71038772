"""many FAMILY:ADDRESS:COUNT...: open connections, tell when they are there, and count those that still answer."""

import resource
import socket
import sys

resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
wires = []
for word in sys.argv[1:]:
    address, _, count = word.rpartition("/")
    for _ in range(int(count)):
        wires.append(socket.create_connection((address, 8081), timeout=10))


def answers():
    good = 0
    for number, wire in enumerate(wires):
        try:
            wire.sendall(b"%d\n" % number)
            good += wire.recv(200).endswith(b"saying %d\n" % number)
        except OSError:
            pass
    return good


print(answers(), flush=True)
for _ in sys.stdin:
    print(answers(), flush=True)
