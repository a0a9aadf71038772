from eyas import Bridge, Container, Fleet, Host, Image, Open, Uplink
from eyas.parts import docker

base = Image.debian("trixie")
one = Container("one", "10.0.5.10", base, packages=["docker.io"])
two = Container("two", "10.0.5.20", base, packages=["docker-cli"])
three = Container("three", "10.0.5.30", base, parts=[docker("/srv/three")])
four = Container("four", "10.0.5.40", base, parts=[docker("/srv/four").with_(grants=[])])
fleet = Fleet(Host("h", Uplink("eth0", "192.0.2.2/24"), Bridge("br0", "10.0.5.1/24"), [one, two, three, four], open=[Open(22)]))
