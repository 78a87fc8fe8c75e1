"""Whether the server of a container is ready, asked from within: what a container engine calls every few seconds."""

from __future__ import annotations

import http.client

SECONDS = 4.0


def is_ready(host: str, port: int) -> bool:
    """Whether the server that listens there answers; it is asked on this machine where it listens everywhere."""
    connection = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
