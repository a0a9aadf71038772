from eyas import Bridge, Container, Fleet, Host, Image, System, Uplink

base = Image.debian("trixie", packages=["nginx-light"])
parts = [
    System(environment={"nginx": {"A": "b"}}),
    System(environment={"cron.timer": {"A": "b"}}),
    System(environment={"cron.service": "A=b"}),
    System(environment={"cron.service": {"A-B": "c"}}),
    System(environment={"cron.service": {"A": True}}),
    System(environment=["A=b"]),
]
web = Container("web", "10.0.5.10", base, parts=parts)

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web])
)
