from eyas import Bridge, Host, Uplink

fleet = Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24"))
