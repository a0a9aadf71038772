from eyas import Fleet, Host

fleet = Flet(Host("alpha"))
