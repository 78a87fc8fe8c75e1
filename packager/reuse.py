"""Finds out whether a bundle was made of the same inputs, so that it need not be made again.

Every build writes the digest of its inputs beside the measurements, outside the identity.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from . import __version__
from .built import Built
from .bundle.reader import Bundle, check_files, open_bundle
from .commands.bench import LatencyReport, check_gate
from .equivalence.report import VerificationReport
from .errors import MlpackError
from .original.source import Source
from .request import Request

FORMAT = 1
ASKED = ("bundle_name", "version", "targets", "precision", "rtol", "atol", "allow", "vendor", "options", "reals")
"""The fields of a request that decide what a bundle holds, beside its files."""
NOTE = "the bundle was made of the same inputs before: nothing was built"
Facts = Mapping[str, Any]


def inputs(request: Request, source: Source, environment: Facts) -> str:
    """The sha256 of all that decides the bundle. `environment`: as in environment.json."""
    facts = {
        "mlpack": __version__,
        "asked": {name: getattr(request, name) for name in ASKED},
        "variants": [{**vars(each), "options": dict(each.options)} for each in request.variants],
        "source": [[path, owned.sha256 or _sha256(owned.path)] for path, owned in sorted(source.relative().items())],
        "files": [[name, _sha256(file)] for name, file in _files(request)],
        "environment": {**environment, "distributions": [_plain(each) for each in environment["distributions"]]},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _plain(distribution: Facts) -> Facts:
    """Without the flag that is known only once the model is loaded."""
    return {key: value for key, value in distribution.items() if key != "needed"}


def _files(request: Request) -> Iterator[tuple[str, Path]]:
    """The files that a build reads beside the model, in order, under names that do not say where they are."""
    rows = [path for each in request.variants for path in (each.rows, each.calibration)]
    named = [Path(text) for table in request.options.values() for text in table.values() if isinstance(text, str)]
    for path in (request.example, request.lock, *request.code, *rows, *named):
        if path is None or not path.exists():
            continue
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        files = (file for file in inside if file.is_file() and file.suffix != ".pyc")
        yield from ((file.relative_to(path).as_posix(), file) for file in files)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reused(request: Request, source: Source, place: Path) -> Built | None:
    """The bundle at `place`, once every file of it is checked; None where it was made of other inputs, or is damaged.

    Raises `LatencyError` where its measured latency is above the request's limit.
    """
    from .environments.python.capture import Capture

    try:
        bundle = open_bundle(place)
        recorded = _recorded(bundle)
        if not recorded or not _is_of(bundle, request, source) or _code_may_differ(bundle):
            return None
        environment = Capture(request.python).result().document(frozenset())
        if recorded["sha256"] != inputs(request, source, environment):
            return None
        check_files(bundle)
        built = _built(bundle, recorded)
    except MlpackError:
        return None
    except (AttributeError, KeyError, TypeError, ValueError):  # measurements that no build wrote: anyone may add them
        return None
    check_gate(built.latency, request.max_p99_ms)
    return built


def _recorded(bundle: Bundle) -> Facts:
    """What the build wrote of its inputs; empty for a bundle of another mlpack."""
    path = bundle.layout.inputs
    found: Facts = bundle.json(path) if path in bundle.evidence else {}
    return found if found.get("format") == FORMAT else {}


def _is_of(bundle: Bundle, request: Request, source: Source) -> bool:
    """Whether the identity itself has this name, version and model: the digest of the inputs is outside of it."""
    model = source.files[0]
    digest = source.relative()[model.name].sha256 or _sha256(model)
    listed = {entry.path: entry.sha256 for entry in bundle.manifest.files}
    same = (bundle.name, bundle.version) == (request.bundle_name, request.version)
    return same and listed.get(bundle.source.path) == digest


def _code_may_differ(bundle: Bundle) -> bool:
    """Whether the model needs code without a digest: of an editable install, or of files that were changed later."""
    installed = [each for part in bundle.parts for each in bundle.json(part.document)["distributions"]]
    return any(each["needed"] and (each["origin"] == "editable" or each["altered"]) for each in installed)


def _built(bundle: Bundle, recorded: Facts) -> Built:
    proof = VerificationReport.from_json(bundle.json(bundle.proof().report))
    latency = LatencyReport.from_json(bundle.json(bundle.layout.latency))
    notes = tuple(bundle.in_short["notes"])
    found = dict(recorded["environment"]), notes, (NOTE,), tuple(recorded["variants"])
    return Built(bundle.place, bundle.identity, bundle.signature, proof, latency, *found)


def record(request: Request, source: Source, environment: Facts, built: Mapping[str, Any]) -> dict[str, Any]:
    """What a build writes of its inputs. `built`: what `Built` says that no other file of the bundle holds."""
    return {"format": FORMAT, "sha256": inputs(request, source, environment), **built}
