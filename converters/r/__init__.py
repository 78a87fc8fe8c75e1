"""R: fitted models in `.rds` and `.RData` files; one pair of files per kind of model, `KIND.R` and `KIND.py`.

The R side (`_worker.R`) reads the file, exports it in the intermediate form (`_form/form.py`) and predicts; everything
after the form works without R. Graphs are double precision throughout.
"""

from __future__ import annotations

from ..needs import Requirement, Tool
from ..plugin import Converter, Export, Original, Probing, Source
from ._model import adapt, clock, convert, describe, environment, load, look, predict, start
from ._options import OPTIONS

CONVERTER = Converter(
    name="r",
    source=Source(containers=("rds",), load=load, start=start, look=look, options=OPTIONS),
    original=Original(describe=describe, predict=predict, clock=clock, environment=environment),
    probing=Probing(adapt=adapt),
    export=Export(convert=convert, precisions=lambda model: ("float64",)),
    needs=(
        Tool("Rscript", "R models", "apt-get install r-base-core"),
        Requirement("rpy2>=3.5.17,<3.6", "r", "handing over R objects from Python"),
    ),
)
