"""Checks from inside a container whether its server is ready, for the container engine's health check."""

from __future__ import annotations

import http.client

SECONDS = 4.0


def is_ready(host: str, port: int) -> bool:
    """Whether the server at the address answers; uses the loopback address where it listens on all."""
    connection = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
