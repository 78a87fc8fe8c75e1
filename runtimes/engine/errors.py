"""The errors for requests and models that are refused."""

from __future__ import annotations


class Refusal(ValueError):
    """A request that is refused: `status` is HTTP's, `reason` a word for the metrics, the message is for the sender."""

    def __init__(self, message: str, status: int = 400, reason: str = "invalid") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NoModel(Exception):
    """There is no bundle in the folder, or the options are wrong."""


class Damaged(Exception):
    """The folder's manifest or graph cannot be read, or was changed after the build."""


class NoProvider(Exception):
    """This ONNX Runtime lacks the execution provider."""


class GraphStops(Exception):
    """The graph fails on rows that no rule forbids."""
