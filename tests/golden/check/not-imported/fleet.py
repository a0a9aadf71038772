from eyas import Container, Fleet, Image

web = Container("web", "10.0.5.10", Image.debian(), limits=Limits(memory="1G"))
fleet = Fleet()
