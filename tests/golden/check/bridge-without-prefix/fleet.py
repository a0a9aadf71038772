from eyas import Bridge, Fleet, Host, Uplink

fleet = Fleet(Host("alpha", Uplink("eth0:1", "10.0.9.7"), Bridge("br0", "10.0.5.1", "10.0.5.1/24"), sysctls={"max_map_count": 5, "vm.x": 1.5}))
