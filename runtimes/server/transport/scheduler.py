"""The loop's turns: first all that has arrived is read, then all of it is answered, then all answers are sent.

Doing the same thing many times over keeps it in the processor's caches, and wakes the other side once.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from time import perf_counter
from typing import Protocol

from .app import App

LONGEST = 0.001
"""Seconds: an answer waits no longer for others to be sent with."""


class Party(Protocol):
    """One who has something to do in a turn."""

    def step(self) -> None:
        """Does one thing, such as to answer one request."""

    def send(self) -> None:
        """Sends what it has to say."""

    def drop(self) -> None:
        """Is over."""


class Turns:
    """The turns of one loop."""

    def __init__(self, app: App, awake: float = 0.0) -> None:
        """`awake`: seconds to look for more after each turn, before the processor may rest: it wakes slowly."""
        self._app = app
        self._due: list[Party] = []
        self._turning = False
        self._awake = awake
        self._until = 0.0
        self._looking = False

    def join(self, party: Party, alone: bool) -> None:
        """Gives the party one step in this turn, or in the next one where this one has begun.

        `alone`: there is nobody whom the turn could wait for, so it is now.
        """
        self._due.append(party)
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
        """Keeps the loop going: with something left to do it asks for what has arrived, and does not wait for it."""
        if perf_counter() < self._until:
            asyncio.get_running_loop().call_soon(self._look)
        else:
            self._looking = False

    def _go_round(self, due: list[Party]) -> None:
        begun, unsent = perf_counter(), 0
        for i, party in enumerate(due, 1):
            try:
                party.step()
            except Exception:  # a fault of ours with one of them leaves the others alone
                traceback.print_exc(file=sys.stderr)
                party.drop()
            now = perf_counter()
            if now - begun > LONGEST or i == len(due):
                for each in due[unsent:i]:
                    each.send()
                begun, unsent = now, i
