"""What a front makes of every pattern (`tests/golden/sites`), read by the nginx that is to serve it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from eyas.model import load, merged
from tests.lab.sites.rig import FRONT, Sites

GOLDEN = Path(__file__).parents[2] / "golden/sites"
TRY = """
rm -rf /tmp/golden && cp -a /etc/nginx /tmp/golden && rm -r /tmp/golden/conf.d /tmp/golden/listen /tmp/golden/eyas
cd /tmp/golden && bash
nginx -t -q -c /tmp/golden/nginx.conf -g 'pid /run/golden.pid;'
"""
SHORT = ("/etc/ssl/app-ca.pem", "/etc/ssl/tunnel-ca.pem", "/etc/ssl/team-ca.pem")


def test_nginx_takes_what_is_written(fleet: Sites) -> None:
    web = load(GOLDEN).fleet.hosts[0].container("web-front")
    assert web is not None
    files = {p: str(f.content) for p, f in merged(web).files.items() if p.startswith("/etc/nginx/")}  # type: ignore[union-attr]
    script = ""
    for path, text in files.items():
        text = re.sub(r"@\{\w+\.address\}", "10.0.9.20", text)
        text = re.sub(r"@\{\w+\.address6\?\}", "fd00:9::20", text)
        text = text.replace("/etc/front/app.conf", "/etc/test-keys/metrics.conf")
        for name in SHORT:
            text = text.replace(name, "/etc/test-keys/client-ca.pem")
        where = shlex.quote(path.removeprefix("/etc/nginx/"))
        script += f"mkdir -p $(dirname {where}) && printf %s {shlex.quote(text)} >{where}\n"
    assert fleet.succeed(FRONT, "bash", "-ec", TRY, input=script) == ""
