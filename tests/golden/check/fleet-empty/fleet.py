from eyas import Fleet

fleet = Fleet()
