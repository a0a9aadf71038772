from eyas import Bridge, Fleet, Host, Uplink

flet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24")))
