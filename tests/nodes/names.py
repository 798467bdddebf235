"""Names that lead to this host, for processes that are started with them: a name server of their own.

::

    fleet.settings |= leading(folder, {"sns.eu-west-1.amazonaws.com": server.port})

Whatever port is asked for, it is the given one of 127.0.0.1: nobody but root may listen on 443.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

_SITE = '''"""Looks up some names otherwise."""

import socket

PORTS = {ports}
look_up = socket.getaddrinfo


def getaddrinfo(host, port, *more, **named):
    if host in PORTS:
        host, port = "127.0.0.1", PORTS[host]
    return look_up(host, port, *more, **named)


socket.getaddrinfo = getaddrinfo
'''


def leading(folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """What to add to a process's environment, so that these names lead to these ports."""
    site = folder.resolve() / "names"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_SITE.replace("{ports}", json.dumps(dict(ports))))
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}
