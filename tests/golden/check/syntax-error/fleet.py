from eyas import Fleet

fleet = Fleet(
    Host("alpha",
