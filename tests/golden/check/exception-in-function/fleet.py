from eyas import Fleet


def ours(last):
    return 10 / (last - 50)


web = ours(50)
fleet = Fleet()
