"""Every way in which a request or a model is turned down."""

from __future__ import annotations


class Refusal(ValueError):
    """A request that is not answered: `status` is HTTP's, `reason` a word for the metrics, the message its sender's."""

    def __init__(self, message: str, status: int = 400, reason: str = "invalid") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NoModel(Exception):
    """There is no bundle in the folder, or the options are wrong."""


class Damaged(Exception):
    """The folder's manifest or graph cannot be read, or is not as it was built."""


class NoProvider(Exception):
    """This ONNX Runtime lacks the execution provider."""


class GraphStops(Exception):
    """The graph gives no answer to rows that no rule forbids."""
