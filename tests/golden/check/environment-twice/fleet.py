from eyas import Bridge, Container, Fleet, Host, Image, System, Uplink

base = Image.debian("trixie", packages=["nginx-light"])
plain = System(environment={"nginx.service": {"COLOUR": "blue", "SIZE": 3}})
fancy = System(environment={"nginx.service": {"COLOUR": "red", "SIZE": "3"}, "cron.service": {"COLOUR": "red"}})
web = Container("web", "10.0.5.10", base, parts=[plain, fancy], environment={"cron.service": {"COLOUR": "green"}})

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.112/26"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers=[web])
)
