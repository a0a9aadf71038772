from eyas import Bridge, Container, Fleet, Forward, Host, Image, Open, System, Uplink

nginx = System(packages=["nginx-light"], files={"/var/www/html/index.html": "hello\n"})
web = Container("web", "10.0.5.10", Image.debian(), parts=[nginx], forwards=[Forward(80)])
fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24"), [web], open=[Open(22)]))
