from eyas import Fleet


def ours(last):
    return ours(last + 1)


fleet = Fleet(ours(1))
