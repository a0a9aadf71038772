people = [
    "ann"
    bob,
]
