"""HDF5 files that take their numbers from another file, and one that does not: prints what the check says of each.

Runs in an interpreter that has h5py.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src"))
from mlpack_toolkit.converters.spec import Unreadable
from mlpack_toolkit.converters.tensorflow.links import check_links


def write(folder: Path) -> None:
    """The files, each with a dataset `layer/kernel`."""
    numbers = np.arange(4.0)
    numbers.tofile(folder / "other.raw")
    with h5py.File(folder / "other.h5", "w") as file:
        file["kernel"] = numbers
    layout = h5py.VirtualLayout((4,), float)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "kernel", (4,))
    for name in ("own", "link", "group", "raw", "virtual"):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            group = file.create_group("layer")
            file["again"] = group  # a circle of hard links ends, too
            group["up"] = file["/"]
            if name == "own":
                group["kernel"] = numbers
                group["soft"] = h5py.SoftLink("/layer/kernel")
            elif name == "link":
                group["kernel"] = h5py.ExternalLink("other.h5", "kernel")
            elif name == "group":
                group["inner"] = h5py.ExternalLink("other.h5", "/")
            elif name == "raw":
                group.create_dataset("kernel", (4,), float, external=[(str(folder / "other.raw"), 0, 32)])
            else:
                group.create_virtual_dataset("kernel", layout)
        with zipfile.ZipFile(folder / f"{name}.keras", "w") as archive:
            archive.write(folder / f"{name}.h5", "model.weights.h5")
    (folder / "damaged.h5").write_bytes((folder / "own.h5").read_bytes()[:300])


def said(path: Path) -> str:
    try:
        check_links(path)
    except Unreadable as error:
        return str(error)
    return ""


if __name__ == "__main__":
    place = Path(sys.argv[1])
    write(place)
    print(json.dumps({path.name: said(path) for path in sorted(place.iterdir()) if path.suffix in (".h5", ".keras")}))
