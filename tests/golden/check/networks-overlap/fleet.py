from eyas import Bridge, Fleet, Host, Uplink

fleet = Fleet(Host("alpha", Uplink("eth0", "10.0.5.7/24", gateway="10.0.9.1"), Bridge("eth0", "10.0.5.1/24")))
