from eyas import Fleet, Image

base = Image.debain("trixie")
fleet = Fleet()
