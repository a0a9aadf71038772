from eyas import Bridge, Container, Fleet, Host, Image, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base, stateless=True, files={"/etc/app.conf": "listen @{web.address}:80\n"})
wiki = Container("wiki", "10.0.5.11", base, ipv6="fd00:5::8000:0:0:10")

fleet = Fleet(
    Host(
        "alpha",
        Uplink("eth0", "203.0.113.112/26"),
        Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        containers=[web, wiki],
    )
)
