from eyas import Bridge, Fleet, Host, Uplink

fleet = Fleet(
    Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24")),
    Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24")),
)
