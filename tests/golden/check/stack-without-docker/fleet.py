from eyas import Bridge, Container, Fleet, Host, Image, Open, Uplink
from eyas.parts import compose, docker

base = Image.debian("trixie")
chat = compose("chat", env={"NAME": "chat"})
one = Container("one", "10.0.5.10", base, parts=[chat])
two = Container("two", "10.0.5.20", base, parts=[docker("/srv/two"), chat])
fleet = Fleet(Host("h", Uplink("eth0", "192.0.2.2/24"), Bridge("br0", "10.0.5.1/24"), [one, two], open=[Open(22)]))
