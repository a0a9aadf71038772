from eyas import Contaner, Fleet

fleet = Fleet()
