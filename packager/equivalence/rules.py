"""What a model refuses, as rules that every runtime keeps: the server's own, under the packager's name for them."""

from __future__ import annotations

from mlpack_toolkit.runtimes.engine.rules import Mask, Violation, cells, refused_rows, violations

__all__ = ["Mask", "Violation", "cells", "refused_rows", "violations"]
