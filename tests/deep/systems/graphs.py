"""A network over graphs that are padded to one number of nodes."""

from __future__ import annotations

import numpy as np
import torch
from system import System, normal
from torch import nn


class Attention(nn.Module):
    """Graph attention over the edges that there are, heads side by side."""

    def __init__(self, inside: int, outside: int, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.width = heads, outside // heads
        self.values = nn.Linear(inside, outside, bias=False)
        self.left = nn.Parameter(torch.randn(heads, self.width) * 0.3)
        self.right = nn.Parameter(torch.randn(heads, self.width) * 0.3)

    def forward(self, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        values = self.values(x).unflatten(-1, (self.heads, self.width))
        left, right = (values * self.left).sum(-1), (values * self.right).sum(-1)
        scores = nn.functional.leaky_relu(left[:, :, None] + right[:, None], 0.2)
        weights = scores.masked_fill(~edges[..., None], -1e9).softmax(2)
        return torch.einsum("bijh,bjhw->bihw", weights, values).flatten(2)


class Graphs(nn.Module):
    """Three layers of attention, then the mean over the nodes that there are.

    `nodes`: their features. `edges`: from node to node. `there`: which nodes are no padding.
    """

    def __init__(self, features: int = 16, width: int = 64, classes: int = 5) -> None:
        super().__init__()
        sizes = ((features, width), (width, width), (width, width))
        self.layers = nn.ModuleList(Attention(*size) for size in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in sizes)
        self.classes = nn.Linear(width, classes)

    def forward(self, nodes: torch.Tensor, edges: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        itself = torch.eye(nodes.shape[1], dtype=torch.bool, device=nodes.device)
        edges = edges & there[:, None] & there[:, :, None] | itself
        for layer, norm in zip(self.layers, self.norms):
            nodes = norm(nn.functional.elu(layer(nodes, edges)))
        weights = there.to(nodes.dtype)[..., None]
        return self.classes((nodes * weights).sum(1) / weights.sum(1).clamp(min=1))


def graph_attention() -> nn.Module:
    torch.manual_seed(0)
    return Graphs().eval()


def padded(rows: int) -> dict[str, object]:
    edges = np.random.default_rng(4).random((rows, 7, 7)) < 0.4
    there = np.arange(7) < np.array([7 - i % 3 for i in range(rows)])[:, None]
    return {"nodes": normal(4, rows, 7, 16), "edges": edges, "there": there}


BATCH, SIZE = "batch", "size"
NODES = f"nodes.0:{BATCH},nodes.1:{SIZE},there.0:{BATCH},there.1:{SIZE}"
AXES = f"{NODES},edges.0:{BATCH},edges.1:{SIZE},edges.2:{SIZE}"
SYSTEMS = (System("Graph attention on padded graphs", graph_attention, padded, AXES),)
