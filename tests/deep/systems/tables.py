"""Networks over columns: a recommender, and TabNet."""

from __future__ import annotations

import torch
from system import System, normal, whole
from torch import nn

USERS, ITEMS, TAGS = 2000, 5000, 300


class Recommender(nn.Module):
    """Two towers: a user with the items last seen, an item with its tags, and the interactions of all (DLRM).

    `history`, `tags`: padded with 0.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(USERS, width), nn.Embedding(ITEMS, width, padding_idx=0)
        self.tags = nn.EmbeddingBag(TAGS, width, mode="mean", padding_idx=0)
        self.dense = nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, width), nn.ReLU())
        self.top = nn.Sequential(nn.Linear(10 + width, 64), nn.ReLU(), nn.Linear(64, 1))
        self.register_buffer("pairs", torch.triu_indices(5, 5, 1))

    def forward(
        self, user: torch.Tensor, item: torch.Tensor, history: torch.Tensor, tags: torch.Tensor, dense: torch.Tensor
    ) -> torch.Tensor:
        seen = (history != 0).to(torch.float32)[..., None]
        past = (self.items(history) * seen).sum(1) / seen.sum(1).clamp(min=1)
        numbers = self.dense(dense)
        found = torch.stack([numbers, self.users(user), self.items(item), past, self.tags(tags)], 1)
        products = (found @ found.transpose(1, 2))[:, self.pairs[0], self.pairs[1]]
        return self.top(torch.cat([numbers, products], 1)).sigmoid()[:, 0]


class Gated(nn.Module):
    """A layer of TabNet's feature transformer: linear, normalised, gated."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(inside, 2 * width, bias=False), nn.BatchNorm1d(2 * width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.glu(self.norm(self.linear(x)))


def sparsemax(x: torch.Tensor) -> torch.Tensor:
    """The nearest point of the simplex, where most coordinates are 0."""
    ordered, _ = x.sort(-1, descending=True)
    sums = ordered.cumsum(-1) - 1
    ranks = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device)
    count = (ordered * ranks > sums).sum(-1, keepdim=True)
    return (x - sums.gather(-1, count - 1) / count.to(x.dtype)).clamp(min=0)


class TabNet(nn.Module):
    """Steps that each attend to some columns (sparsemax), share two layers and have two of their own."""

    def __init__(self, columns: int = 14, width: int = 16, steps: int = 3, classes: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(columns)
        self.shared = nn.ModuleList([Gated(columns, 2 * width), Gated(2 * width, 2 * width)])
        self.own = nn.ModuleList(nn.ModuleList(Gated(2 * width, 2 * width) for _ in range(2)) for _ in range(steps + 1))
        self.attention = nn.ModuleList(
            nn.Sequential(nn.Linear(width, columns, bias=False), nn.BatchNorm1d(columns)) for _ in range(steps)
        )
        self.width, self.classes = width, nn.Linear(width, classes)

    def transformed(self, x: torch.Tensor, step: int) -> torch.Tensor:
        x = self.shared[0](x)
        for layer in (self.shared[1], *self.own[step]):
            x = (x + layer(x)) * 0.5**0.5
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(x)
        prior, total = torch.ones_like(x), 0.0
        found = self.transformed(x, 0)
        for step, attention in enumerate(self.attention):
            mask = sparsemax(attention(found[:, self.width :]) * prior)
            prior = prior * (1.3 - mask)
            found = self.transformed(x * mask, step + 1)
            total = total + found[:, : self.width].relu()
        return self.classes(total)


def recommender() -> nn.Module:
    torch.manual_seed(0)
    return Recommender().eval()


def tabnet() -> nn.Module:
    torch.manual_seed(0)
    return TabNet().eval()


def views(rows: int) -> dict[str, object]:
    history, tags = whole(3, ITEMS, rows, 6), whole(4, TAGS, rows, 4)
    history[::2, 4:], tags[::2, 2:] = 0, 0
    ids = {"user": whole(1, USERS, rows), "item": whole(2, ITEMS, rows), "history": history, "tags": tags}
    return {**ids, "dense": normal(5, rows, 13)}


def columns(rows: int) -> dict[str, object]:
    return {"x": normal(6, rows, 14)}


SYSTEMS = (
    System("Recommender with embeddings (DLRM)", recommender, views),
    System("TabNet", tabnet, columns),
)
