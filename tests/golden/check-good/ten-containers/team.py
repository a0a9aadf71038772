"""The people, and what every container of theirs gets."""

from pathlib import Path

from eyas import File, System, User

KEYS = {path.stem: path.read_text().strip() for path in sorted((Path(__file__).parent / "keys").glob("*.pub"))}
PEOPLE = [User(name, 2001 + n, groups=["sudo"], keys=[key]) for n, (name, key) in enumerate(KEYS.items())]

team = System(packages=["sudo"], users=PEOPLE, files={"/etc/motd": File.read("motd.txt")})
