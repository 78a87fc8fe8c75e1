"""What runs in the interpreter that has torch: writes a network of random weights as an ONNX file, and rows for it.

`python -m benchmarks._variant_models KEY FOLDER`, from the root of the repository.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROWS, CALIBRATION, TOKENS = 16, 32, 24


def _resnet50() -> tuple[Any, Any, Any]:
    """With the statistics of its batch norms taken from noise: without them, its numbers grow from layer to layer."""
    import torch
    import torchvision  # type: ignore[import-not-found, unused-ignore]

    module = torchvision.models.resnet50(weights=None)
    with torch.no_grad():
        for _ in range(4):
            module(torch.randn(8, 3, 224, 224))
    return module.eval(), lambda n: (torch.randn(n, 3, 224, 224),), ("image",)


def _bert_base() -> tuple[Any, Any, Any]:
    import torch
    from transformers import BertConfig, BertForMaskedLM  # type: ignore[import-not-found, unused-ignore]

    class Model(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = BertForMaskedLM(BertConfig())

        def forward(self, tokens: Any) -> Any:
            return self.model(input_ids=tokens).logits

    return Model().eval(), lambda n: (torch.randint(0, 30522, (n, TOKENS)),), ("tokens",)


def _gpt2_small() -> tuple[Any, Any, Any]:
    """Without a cache: the whole sequence at once."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel  # type: ignore[import-not-found, unused-ignore]

    class Model(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = GPT2LMHeadModel(GPT2Config())

        def forward(self, tokens: Any) -> Any:
            return self.model(input_ids=tokens, use_cache=False).logits

    return Model().eval(), lambda n: (torch.randint(0, 50257, (n, TOKENS)),), ("tokens",)


MODELS = {"resnet50": _resnet50, "bert_base": _bert_base, "gpt2_small": _gpt2_small}


def main() -> None:
    """Writes `model.onnx`, `rows.npz` and `calibration.npz`."""
    import numpy as np
    import torch

    key, folder = sys.argv[1], Path(sys.argv[2])
    torch.manual_seed(0)
    module, inputs, names = MODELS[key]()
    for name, count in (("rows", ROWS), ("calibration", CALIBRATION)):
        np.savez(folder / f"{name}.npz", **dict(zip(names, (t.numpy() for t in inputs(count)))))
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.onnx.export(
        module,
        inputs(2),
        str(folder / "model.onnx"),
        dynamo=True,
        dynamic_shapes=tuple({0: batch} for _ in names),
        input_names=list(names),
        output_names=["logits"],
        verbose=False,
    )
    print(json.dumps({"parameters": sum(each.numel() for each in module.parameters())}))


if __name__ == "__main__":
    main()
