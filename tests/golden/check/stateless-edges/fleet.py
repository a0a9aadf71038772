from eyas import Bridge, Container, Fleet, Host, Image, Uplink

base = Image.debian("trixie", packages=["curl"])
web = Container("web", "10.0.5.10", base, stateless=True)
app = Container("app", "10.0.5.11", base, restart_with=[web])
job = Container("job", "10.0.5.12", base, needs=[web], after=[app])

fleet = Fleet(
    Host(
        "alpha",
        Uplink("eth0", "203.0.113.112/26"),
        Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        containers=[web, app, job],
    )
)
