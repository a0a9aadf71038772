from eyas import Bind, Bridge, Container, Fleet, Forward, Host, Image, Open, Probe, Uplink

base = Image.debian("trixie", packages=["curl"])
db = Container("db", "10.0.5.9", base)
web = Container(
    "web", "10.0.5.10", base, stateless=True, after=[db], needs=[db],
    binds=[Bind("/srv/pages", "/var/www", readonly=True), Bind("/srv/uploads", persistent=True, shared=True)],
    forwards=[Forward(80)], probes=[Probe.http(80)], drain="2m",
)  # fmt: skip
app = Container("app", "10.0.5.11", base, after=[web], files={"/etc/app.conf": "backend @{web.address}:80\n"})

fleet = Fleet(
    Host(
        "alpha",
        Uplink("eth0", "203.0.113.112/26"),
        Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"),
        containers=[db, web, app],
        open=[Open(22)],
    )
)
