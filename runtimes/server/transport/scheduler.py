"""Schedules event-loop iterations: reads everything that has arrived, then answers all of it, then sends all answers.

Repeating one kind of work keeps it in the processor's caches, and wakes the other side only once.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from time import perf_counter
from typing import Protocol

from .app import App

LONGEST = 0.001
"""The most seconds that an answer waits to be sent together with others."""


class Connection(Protocol):
    """A connection with work pending in this iteration."""

    def step(self) -> None:
        """Does one piece of work, such as answering one request."""

    def send(self) -> None:
        """Sends its pending answers."""

    def drop(self) -> None:
        """Aborts the connection."""


class Turns:
    """The turns (iterations) of one event loop."""

    def __init__(self, app: App, awake: float = 0.0) -> None:
        """`awake`: seconds of polling after each turn, before the processor may sleep, as it wakes slowly."""
        self._app = app
        self._due: list[Connection] = []
        self._turning = False
        self._awake = awake
        self._until = 0.0
        self._looking = False

    def join(self, connection: Connection, alone: bool) -> None:
        """Gives the connection one step in this turn, or in the next one if this one has begun.

        `alone`: no other connection is there to wait for, so the turn runs now.
        """
        self._due.append(connection)
        if alone and not self._turning:
            self._turn()
        elif len(self._due) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        due, self._due = self._due, []
        self._app.begin_turn()
        self._turning = True
        try:
            self._go_round(due)
        finally:
            self._turning = False
        self._until = perf_counter() + self._awake
        if self._awake and not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        """Keeps the loop busy, so that it polls for arrivals instead of waiting for them."""
        if perf_counter() < self._until:
            asyncio.get_running_loop().call_soon(self._look)
        else:
            self._looking = False

    def _go_round(self, due: list[Connection]) -> None:
        begun, unsent = perf_counter(), 0
        for i, connection in enumerate(due, 1):
            try:
                connection.step()
            except Exception:  # a bug in one connection must not affect the others
                traceback.print_exc(file=sys.stderr)
                connection.drop()
            now = perf_counter()
            if now - begun > LONGEST or i == len(due):
                for each in due[unsent:i]:
                    each.send()
                begun, unsent = now, i
