fleet = None
