"""The translations by type of layer, one file for each family."""

from __future__ import annotations

from ..building import Known


def translations() -> Known:
    """All of them by the type's name."""
    from . import activations, convolution, detection, joining, normalising, pooling, reshaping

    families = (activations, convolution, detection, joining, normalising, pooling, reshaping)
    return {kind: translate for family in families for kind, translate in family.KNOWN.items()}
