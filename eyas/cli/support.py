"""eyas's own small programs and boot units on a host."""

from __future__ import annotations

from pathlib import Path


def support() -> tuple[dict[str, str], dict[str, str]]:
    """Texts by name: programs, and units."""
    from eyas.apply.recover import RECOVER_UNIT, RECOVER_UNIT_NAME
    from eyas.host.shell import script
    from eyas.kind import firewall

    folder = Path(firewall.__file__).parent / "scripts"
    scripts = {path.stem: script(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.sh"))}
    return scripts, {firewall.UNIT_NAME: firewall.UNIT, RECOVER_UNIT_NAME: RECOVER_UNIT}
