def people(name):
    return {"bob": 1}[name]
