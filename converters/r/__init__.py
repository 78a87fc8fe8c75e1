"""R: fitted models in `.rds` and `.RData` files; one pair of files per kind of model, `KIND.R` and `KIND.py`.

The R side (`_worker.R`) reads the file, exports it in the intermediate form (`_form/form.py`) and predicts; everything
after the form works without R. Graphs are double precision throughout.
"""

from __future__ import annotations

from ..spec import Converter
from ._model import adapt, clock, convert, describe, environment, load, look, predict, sniff, start

CONVERTER = Converter(
    name="r",
    packages=(),
    sniff=sniff,
    load=load,
    start=start,
    describe=describe,
    predict=predict,
    convert=convert,
    precisions=lambda model: ("float64",),
    adapt=adapt,
    clock=clock,
    environment=environment,
    look=look,
)
