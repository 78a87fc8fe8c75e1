"""The messages between mlpack and the model's process: a frozen value for each request and each reply.

Each one travels as a JSON object in one line. Standard library only, Python 3.9 and later: both sides import this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Generic, TypeVar

from .spec import Scalar, Signature

M = TypeVar("M", bound="Message")
R = TypeVar("R", bound="Message")


@dataclass(frozen=True)
class Message:
    """A value with a JSON form: tuples as lists, keys as text."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this message."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_json(cls: type[M], plain: Mapping[str, Any]) -> M:
        """The message that `to_json` wrote; fields that this class does not have are left out."""
        return cls(**{f.name: _frozen(plain[f.name]) for f in fields(cls) if f.name in plain})


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return value.to_json() if isinstance(value, (Message, Signature)) else value


def _frozen(value: Any) -> Any:
    """Lists as tuples; objects stay as they are."""
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Done(Message):
    """The reply to a request that returns no data."""


@dataclass(frozen=True)
class Failure(Message):
    """The reply to a request that failed: the class and the message of the exception.

    `missing`: the module that was not found. `confined`: the sandbox may be the cause.
    """

    kind: str
    message: str
    missing: str | None = None
    confined: bool = False


@dataclass(frozen=True)
class Loaded(Message):
    """Facts about a loaded model.

    `columns`: their names, where the model knows them; `width`: their number. `precisions`: forms worth trying.
    `versions`: of the packages that the model needs. `libraries`: linear algebra and threading, as threadpoolctl lists
    them. `processor`: see `Original.processor`. `own_environment`: the model runs in an interpreter of its own.
    `sandbox`: the restrictions in force (see `_sandbox.facts`). `can_convert`: the packages that converting needs are
    installed.
    """

    framework: str
    title: str
    task: str
    columns: tuple[str, ...]
    width: int
    notes: tuple[str, ...]
    precisions: tuple[str, ...]
    versions: Mapping[str, str]
    libraries: tuple[Mapping[str, Any], ...]
    processor: str
    own_environment: bool
    sandbox: Mapping[str, Any]
    can_convert: bool


@dataclass(frozen=True)
class Converted(Message):
    """The reply to a conversion. `as_it_came`: nothing was written, because the model's own file is the graph.

    `kernels`: the number of tree sums that are nodes of mlpack's own operators; `left_out`: why others are not.
    """

    as_it_came: bool
    kernels: int = 0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Probed(Message):
    """The probes with the original's answers; rows and answers are in the files that the process wrote.

    `batches`: rows of each batch that was answered again. `kinds`, `columns`: per row, the kind of probe and the column
    that it changes. `known`: per kind and column, the numbers of tried and of known values. `refused`: row to
    the original's message. `features`: the model's columns, `values` and `bounds` of them by name.
    """

    notes: tuple[str, ...]
    signature: Signature
    batches: tuple[tuple[int, ...], ...]
    kinds: tuple[str, ...]
    columns: tuple[str, ...]
    known: tuple[tuple[str, str, int, int], ...]
    refused: Mapping[int, str]
    features: tuple[str, ...]
    values: Mapping[str, list[Scalar]]
    bounds: Mapping[str, list[float]]

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Probed:
        """The message that `to_json` wrote."""
        refused = {int(row): message for row, message in plain["refused"].items()}
        signature = Signature.from_json(plain["signature"])
        return super().from_json({**plain, "refused": refused, "signature": signature})


@dataclass(frozen=True)
class Measured(Message):
    """Latency by batch size: quantiles in milliseconds, rows per second."""

    batches: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class Noisy(Message):
    """By output of floats, the largest difference of the original from itself; empty: its answers have no noise."""

    outputs: Mapping[str, float]


@dataclass(frozen=True)
class Observed(Message):
    """The parts of the original with an answer that is too large to be kept."""

    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Judgement(Message):
    """The numbers that the user's own metric gave: one for all rows, or one for each."""

    values: tuple[float, ...]


@dataclass(frozen=True)
class Surroundings(Message):
    """The environment of a model that runs in an interpreter of its own, as listed by that interpreter."""

    environment: Mapping[str, Any]


@dataclass(frozen=True)
class Spoken(Message):
    """What belongs to a model of text beside its graph, each empty where there is none (see `Converter.language`)."""

    text: Mapping[str, Any]
    generation: Mapping[str, Any]


@dataclass(frozen=True)
class Request(Message, Generic[R]):
    """A command to the model's process; `reply` is the class of the reply to it."""

    reply: ClassVar[type[Message]] = Done

    @property
    def command(self) -> str:
        """The command's name, which is the name of the session's method."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Load(Request[Loaded]):
    """Load the model: the one command that runs code of the file.

    `kind`: the container that the scan found. `names`, `own`, `referred`, `versions`: see `Scan`. `code`: folders of
    the user's own modules. `options`: the values of options, by framework. `needed`: readable folders that may be
    created later.
    """

    model: str
    kind: str
    names: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    referred: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    code: tuple[str, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    reply = Loaded


@dataclass(frozen=True)
class Environment(Request[Surroundings]):
    """List the environment of a model that runs in an interpreter of its own."""

    reply = Surroundings


@dataclass(frozen=True)
class Lend(Request[Done]):
    """Add the packages of a folder to the import path, after those of the interpreter."""

    folder: str


@dataclass(frozen=True)
class Read(Request[Done]):
    """Write the tensors of an example in the framework's own format to the file `out`.

    `example`: empty: the one that the model makes of what it knows.
    """

    example: str
    out: str


@dataclass(frozen=True)
class Probe(Request[Probed]):
    """Make probes from the example, ask the original, and write both into the folder `out`.

    `frame_dtypes`: types of the example's columns by name. `dtypes`: types of its tensors in the user's file.
    `stored`: row and column of the zeros that a sparse example stores; None: the example is not sparse.
    `images`: the example is one array of images.
    """

    example: str
    out: str
    frame_dtypes: Mapping[str, str] = field(default_factory=dict)
    stored: Sequence[Sequence[int]] | None = None
    dtypes: Mapping[str, str] = field(default_factory=dict)
    images: bool = False
    reply = Probed


@dataclass(frozen=True)
class Language(Request[Spoken]):
    """Describe the tokeniser, the chats and the way that texts are continued."""

    reply = Spoken


@dataclass(frozen=True)
class Adopt(Request[Done]):
    """Take the signature from the model's bundle, in place of a probe."""

    signature: Signature

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Adopt:
        """The message that `to_json` wrote."""
        return cls(Signature.from_json(plain["signature"]))


@dataclass(frozen=True)
class Convert(Request[Converted]):
    """Write the graph in the precision `real` to the file `out`.

    `kernels`: with mlpack's own operators for trees, where they can sum them.
    """

    reply: ClassVar[type[Message]] = Converted

    real: str
    out: str
    kernels: bool = False


@dataclass(frozen=True)
class Predict(Request[Done]):
    """Write the original's answers to the table in `rows` to the file `out`."""

    rows: str
    out: str


@dataclass(frozen=True)
class Noise(Request[Noisy]):
    """Compare the original's answers to the table in `rows` with the same answers computed otherwise."""

    reply: ClassVar[type[Message]] = Noisy

    rows: str


@dataclass(frozen=True)
class Observe(Request[Observed]):
    """Write the answers of the original's parts at the paths, for the table in `rows`, to the file `out`.

    `each`, `total`: the most bytes of one answer, and of all.
    """

    reply: ClassVar[type[Message]] = Observed

    rows: str
    out: str
    paths: tuple[str, ...]
    each: int
    total: int


@dataclass(frozen=True)
class Judge(Request[Judgement]):
    """Ask the user's own metric about a parent's and a variant's answers, instead of loading a model.

    `function`: `MODULE:FUNCTION` in the folders `code`; `want`, `got`: files with both answers.
    """

    function: str
    want: str
    got: str
    code: tuple[str, ...] = ()
    reply: ClassVar[type[Message]] = Judgement


@dataclass(frozen=True)
class Measure(Request[Measured]):
    """Measure the original's latency on the table in `rows`, `seconds` for each batch size."""

    rows: str
    batches: tuple[int, ...]
    seconds: float
    reply = Measured


REQUESTS: Mapping[str, type[Request[Any]]] = {
    each.__name__.lower(): each
    for each in (
        Load,
        Environment,
        Lend,
        Read,
        Probe,
        Language,
        Adopt,
        Convert,
        Predict,
        Noise,
        Observe,
        Judge,
        Measure,
    )
}
"""By the command's name."""


def request_of(plain: Mapping[str, Any]) -> Request[Any]:
    """The request in a JSON object; its key `command` says which."""
    return REQUESTS[plain["command"]].from_json(plain)


def line_of(request: Request[Any]) -> dict[str, Any]:
    """The JSON object of a request, with its command."""
    return {"command": request.command, **request.to_json()}
