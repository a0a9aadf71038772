from eyas import Bridge, Container, Fleet, Host, Image, Location, Proxy, Site, System, Uplink

base = Image.debian()
app = Container("app", "10.0.5.11", base)
raw = """\
if ($http_x_old) { proxy_pass http://10.0.5.11:81; }
location /docs { alias /srv/docs/; }
location ~ ^/v(?<major>[0-9]+)/ { proxy_pass http://backend/api; }
set $mine "$major-$http_usr_agent-$remote_adr";
return 302 https://$host$uri;
"""
web = Container(
    "web", "10.0.5.10", base,
    parts=[
        System(
            sites=[
                Site("a.example.org", to=app.port(80), extra=raw),
                Site("b.example.org", Location("/", Proxy(app.port(80)), extra="proxy_set_header Host x;\nlisten 81;")),
                Site("c.example.org", to=app.port(80), extra="server_tokens off;\nlocation /x {\n  return 204\n}"),
                Site("d.example.org", to=app.port(80), extra="} server { listen 80;"),
                Site("e.example.org", to=app.port(80), extra='add_header X "never closed;'),
            ]
        )
    ],
)  # fmt: skip
fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24"), [app, web]))
