"""`python -m mlpack_toolkit.runtimes.server [FOLDER] [serve]`: serves the model of a folder until SIGTERM.

`python -m mlpack_toolkit.runtimes.server health`: ends with 0 where such a server is ready, else with 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ..engine.errors import Damaged, NoModel, NoProvider
from .bundle_info import MANIFEST, PLACES, describe
from .settings import from_environment, is_tuned, library_given
from .transport.health import is_ready
from .transport.supervisor import Supervisor

HEALTH = "health"
EXITS = {NoModel: 2, Damaged: 8, NoProvider: 9}


def main() -> int:
    """The exit code: 0 after SIGTERM, 2 for a wrong call, 8 for a model that was changed after the build, 9 without its
    execution provider."""
    try:
        options = _options()
        settings = from_environment(os.environ, host=options.host, port=options.port, workers=options.workers)
        if options.folder == HEALTH:
            return 0 if is_ready(settings.host, settings.port) else 1
        described = describe(_folder(options.folder), library_given(os.environ), is_tuned(os.environ))
        Supervisor(described, settings, lambda where: _say(described.name, described.version, where)).run()
    except (NoModel, Damaged, NoProvider) as error:
        print(f"mlpack: {error}", file=sys.stderr)
        return EXITS[type(error)]
    return 0


def _say(name: str, version: str, where: str) -> None:
    print(f"{name} {version} answers at {where}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m mlpack_toolkit.runtimes.server", description=__doc__)
    said = "the folder with manifest.json; 'serve' before or after it is ignored; 'health' checks a running server"
    parser.add_argument("folder", nargs="*", help=said)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    folders = [word for word in options.folder if word != "serve"]
    if len(folders) > 1:
        parser.error("there is more than one folder")
    options.folder = folders[0] if folders else None
    return options


def _folder(given: str | None) -> Path:
    if given is not None:
        return Path(given)
    found = next((Path(place) for place in PLACES if (Path(place) / MANIFEST).is_file()), None)
    if found is None:
        raise NoModel(f"name the model's folder: there is no {MANIFEST} in {' or '.join(PLACES)}")
    return found


if __name__ == "__main__":
    sys.exit(main())
