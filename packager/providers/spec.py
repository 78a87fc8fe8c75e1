"""The interface of an execution provider: its name in ONNX Runtime, its options, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlpack_toolkit.converters.spec import Scalar


@dataclass(frozen=True)
class InImage:
    """What an image has for a provider.

    `instead`: the distribution that takes the place of `onnxruntime`; `extras`: those of it that name the provider's
    libraries; `libraries`: how the names of these distributions begin: no other dependency is taken. `folders`: where
    the libraries are, below the folder of the packages. `variables`: for the container's runtime.
    """

    instead: str
    extras: str
    libraries: str
    folders: str
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Provider:
    """One provider. `title`: ONNX Runtime's name. `options`: those with which float32 is float32 and answers repeat;
    given with every session, and recorded. `mend`: the command that brings it. `plugin`: the module of a provider that
    ONNX Runtime loads from a package of its own; empty: it is a part of ONNX Runtime. `in_image`: None: no image has
    it."""

    name: str
    title: str
    mend: str
    options: Mapping[str, Scalar] = field(default_factory=dict)
    plugin: str = ""
    in_image: InImage | None = None
