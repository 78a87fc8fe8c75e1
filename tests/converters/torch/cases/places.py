"""Scatter, gather, selection by index and by mask."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .case import BATCH, NAN, case, floats, normal, whole

PLACES = torch.tensor([[0, 1, 1, 0, 2], [2, 2, 2, 1, 0]])
ELSEWHERE = torch.tensor([[3, 3, 3, 3, 3], [0, 1, 2, 3, 0], [1, 1, 0, 0, 0]])


@case(
    [normal(2, 5), PLACES],
    [BATCH, BATCH],
    [[normal(3, 5), ELSEWHERE], [normal(1, 5), PLACES[:1]], [normal(0, 5), PLACES[:0]]],
)
class scatter_reduce_mean(nn.Module):
    def forward(self, x, i):
        start = torch.ones(x.shape[0], 4)
        with_start = start.scatter_reduce(1, i, x, "mean")
        return with_start, start.scatter_reduce(1, i, x, "mean", include_self=False)


@case([normal(2, 5), PLACES], [BATCH, BATCH], [[normal(3, 5), ELSEWHERE], [floats(NAN, 1, 2, 3, 4), PLACES[:1]]])
class scatter_reduce_extremes(nn.Module):
    def forward(self, x, i):
        start = torch.zeros(x.shape[0], 4)
        return start.scatter_reduce(1, i, x, "amax"), start.scatter_reduce(1, i, x, "amin")


@case([normal(2, 5), PLACES], [BATCH, BATCH], [[normal(3, 5), ELSEWHERE]])
class scatter_reduce_extremes_without_self(nn.Module):
    def forward(self, x, i):
        start = torch.full((x.shape[0], 4), 9.0)
        return start.scatter_reduce(1, i, x, "amax", include_self=False), start.scatter_reduce(
            1, i, x, "amin", include_self=False
        )


@case([normal(2, 5), PLACES], [BATCH, BATCH], [[normal(3, 5), ELSEWHERE]])
class scatter_reduce_sums(nn.Module):
    def forward(self, x, i):
        start = torch.full((x.shape[0], 4), 2.0)
        first = start.scatter_reduce(1, i, x, "sum"), start.scatter_reduce(1, i, x, "prod"), start.scatter_add(1, i, x)
        return (
            *first,
            start.scatter_reduce(1, i, x, "sum", include_self=False),
            start.scatter_reduce(1, i, x, "prod", include_self=False),
        )


@case([whole(-9, 9, 2, 5), PLACES], [BATCH, BATCH], [[whole(-9, 9, 3, 5), ELSEWHERE]])
class scatter_reduce_whole_mean(nn.Module):
    def forward(self, x, i):
        return torch.zeros(x.shape[0], 4, dtype=torch.int64).scatter_reduce(1, i, x, "mean", include_self=False)


@case([normal(2, 5), PLACES], [BATCH, BATCH], [[normal(3, 5), ELSEWHERE]])
class scatter_plain(nn.Module):
    def forward(self, x, i):
        start = torch.zeros(x.shape[0], 4)
        return start.scatter(1, i, 7.0), start.scatter(1, i[:, :1], x), start.scatter_add(1, i[:, :3], x)


@case(
    [normal(5, 3), torch.tensor([0, 2, 2, 1, 0])],
    [{0: "nodes"}, {0: "nodes"}],
    [[normal(7, 3), torch.tensor([3] * 7)], [normal(1, 3), torch.tensor([1])]],
)
class index_reductions(nn.Module):
    def forward(self, x, i):
        start = torch.full((4, 3), 2.0)
        return (
            torch.zeros(4, 3).index_add(0, i, x),
            start.index_reduce(0, i, x, "amax"),
            start.index_add(0, i, x, alpha=0.5),
        )


@case(
    [normal(5, 3), torch.tensor([0, 2, 2, 1, 0])],
    [{0: "nodes"}, {0: "nodes"}],
    [[normal(7, 3), torch.tensor([3] * 7)], [normal(1, 3), torch.tensor([1])]],
)
class index_reduce_mean(nn.Module):
    def forward(self, x, i):
        start = torch.full((4, 3), 2.0)
        return start.index_reduce(0, i, x, "mean"), start.index_reduce(0, i, x, "mean", include_self=False)


@case(
    [normal(3, 6), torch.tensor([0, 2])],
    [BATCH, {0: "chosen"}],
    [[normal(4, 6), torch.tensor([-1, 0, 3])], [normal(2, 6), torch.tensor([1])]],
)
class indexing(nn.Module):
    def forward(self, x, i):
        return x[i], x[:, i], x[i, 0], x.index_select(1, i.abs()), x[i][:, [0, 2]], x[..., None, 0]


@case([normal(3, 6), torch.tensor([0, 1, 1])], [BATCH, {0: "chosen"}], [[normal(4, 6), torch.tensor([-1, 0, 3, 3])]])
class indexed_writes(nn.Module):
    def forward(self, x, i):
        y = x.clone()
        y[i, 1] = 5.0
        z = x.clone()
        z[:, i.abs()] = 0.0
        added = torch.zeros(6).index_put((i.abs(),), x[:, 0][i], accumulate=True)
        return y, z, added, x.index_fill(1, i.abs(), 4.0), x.index_copy(1, torch.tensor([0, 5]), x[:, 2:4])


@case([normal(3, 6)], [BATCH], [[normal(5, 6)], [-normal(2, 6).abs()], [normal(0, 6)]])
class selection_by_mask(nn.Module):
    def forward(self, x):
        return x[x > 0], x.masked_fill(x > 0, 9.0), torch.masked_select(x, x < -0.5)


@case([normal(3, 6)], [BATCH], [[normal(5, 6)], [-normal(2, 6).abs()]])
class write_by_mask(nn.Module):
    def forward(self, x):
        y = x.clone()
        y[y > 0] = 0.25
        z = x.clone()
        z[x < 0] *= 2
        return y, z, torch.where(x > 0, x, torch.zeros(()))


@case(
    [normal(3, 6), whole(0, 2, 3, 6).bool()],
    [BATCH, BATCH],
    [[normal(5, 6), whole(0, 2, 5, 6).bool()], [normal(2, 6), torch.zeros(2, 6, dtype=torch.bool)]],
)
class masked_scatter(nn.Module):
    def forward(self, x, m):
        return torch.zeros_like(x).masked_scatter(m, x)


@case(
    [whole(0, 3, 2, 6)],
    [{0: "batch", 1: "length"}],
    [[whole(0, 3, 3, 9)], [torch.zeros(2, 4, dtype=torch.int64)], [whole(0, 3, 1, 1)]],
)
class where_nonzero(nn.Module):
    def forward(self, x):
        return x.nonzero(), torch.count_nonzero(x, 1), torch.where(x > 0)[1]


@case([whole(0, 5, 7)], [{0: "length"}], [[torch.tensor([3, 1, 3, 2, 1])], [torch.tensor([4])]])
class uniques(nn.Module):
    def forward(self, x):
        found, inverse, count = torch.unique(x, return_inverse=True, return_counts=True)
        return found, inverse, count


@case([whole(0, 5, 7)], [{0: "length"}], [[torch.tensor([3, 1, 3, 2, 1])], [torch.tensor([4])]])
class one_hot_and_counts(nn.Module):
    def forward(self, x):
        return F.one_hot(x, 5), torch.isin(x, torch.tensor([1, 3])), torch.eye(5)[x]


@case([normal(3, 4)], [BATCH], [[floats(-3, 0, 1, 99)], [floats(NAN, 0.5, 2, 1)]])
class buckets(nn.Module):
    def forward(self, x):
        edges = torch.tensor([-1.0, 0.0, 1.0])
        return torch.bucketize(x, edges), torch.bucketize(x, edges, right=True), torch.searchsorted(edges, x)


@case(
    [normal(3, 6), whole(0, 6, 3, 2)],
    [BATCH, BATCH],
    [[normal(4, 6), whole(0, 6, 4, 2)], [normal(0, 6), whole(0, 6, 0, 2)]],
)
class gathers(nn.Module):
    def forward(self, x, i):
        return x.gather(1, i), x.take(i), x.gather(1, i[:, :1])


@case(
    [normal(3, 6), whole(0, 6, 3, 2)],
    [BATCH, BATCH],
    [[normal(4, 6), whole(0, 6, 4, 2)]],
    refused="'batch'.*cannot be free",
)
class gathers_along(nn.Module):
    def forward(self, x, i):
        return torch.take_along_dim(x, i, 1)


@case([whole(0, 9, 3, 4)], [{0: "batch", 1: "length"}], [[whole(0, 9, 2, 7)], [torch.full((1, 1), 8)]])
class embeddings(nn.Module):
    def __init__(self):
        super().__init__()
        self.plain, self.padded = nn.Embedding(9, 4), nn.Embedding(9, 4, padding_idx=0)

    def forward(self, i):
        return self.plain(i), self.padded(i)


@case(
    [whole(0, 9, 6), torch.tensor([0, 2, 4])],
    [{0: "words"}, {0: "bags"}],
    [[whole(0, 9, 9), torch.tensor([0, 5])], [whole(0, 9, 5), torch.tensor([0, 2, 2, 4])]],
)
class bags_of_embeddings(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean, self.sum, self.most = (nn.EmbeddingBag(9, 4, mode=m) for m in ("mean", "sum", "max"))

    def forward(self, i, start):
        return self.mean(i, start), self.sum(i, start), self.most(i, start)


LENGTHS = [{0: "batch", 1: "length"}, {0: "batch", 1: "length"}]
PADDED = torch.tensor([[2, 2, 2], [2, 0, 2], [5, 5, 8]])


@case(
    [whole(0, 9, 3, 4), normal(3, 4)],
    LENGTHS,
    [[whole(0, 9, 2, 4), normal(2, 4)], [whole(0, 9, 0, 4), normal(0, 4)], [PADDED, normal(3, 3)]],
)
class bags_of_rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.plain = nn.ModuleList(nn.EmbeddingBag(9, 4, mode=m) for m in ("sum", "mean", "max"))
        self.padded = nn.ModuleList(nn.EmbeddingBag(9, 4, mode=m, padding_idx=2) for m in ("sum", "mean", "max"))
        self.last = nn.EmbeddingBag(9, 4, mode="mean", padding_idx=-7)

    def forward(self, i, w):
        bags = (*self.plain, *self.padded, self.last)
        return *(bag(i) for bag in bags), self.plain[0](i, per_sample_weights=w), self.padded[0](i, None, w)


BAGS = ([0, 2, 4], [0, 0, 5], [0, 5, 5, 5], [0, 6])
NOT_BAGS = ([1, 3], [0, 7], [0, -1])


@case(
    [whole(0, 9, 6), torch.tensor([0, 2, 4]), normal(6)],
    [{0: "words"}, {0: "bags"}, {0: "words"}],
    [
        *([torch.tensor([1, 2, 2, 4, 5, 2]), torch.tensor(start), normal(6)] for start in (*BAGS, *NOT_BAGS)),
        [whole(0, 9, 0), torch.tensor([0, 0]), normal(0)],
        [whole(0, 9, 0), torch.tensor([], dtype=torch.int64), normal(0)],
    ],
)
class bags_at_offsets(nn.Module):
    def __init__(self):
        super().__init__()
        self.sum, self.mean = nn.EmbeddingBag(9, 4, mode="sum"), nn.EmbeddingBag(9, 4, mode="mean")

    def forward(self, i, start, w):
        return self.mean(i, start), self.sum(i, start), self.sum(i, start, w)


@case(
    [whole(0, 9, 6), torch.tensor([0, 2, 4])],
    [{0: "words"}, {0: "bags"}],
    [
        *([torch.tensor([1, 2, 2, 4, 5, 2]), torch.tensor(start)] for start in (*BAGS, *NOT_BAGS)),
        [whole(0, 9, 6), torch.tensor([0, 4, 2])],
        [whole(0, 9, 0), torch.tensor([0, 0])],
    ],
)
class padded_bags_at_offsets(nn.Module):
    def __init__(self):
        super().__init__()
        self.bags = nn.ModuleList(nn.EmbeddingBag(9, 4, mode=m, padding_idx=2) for m in ("sum", "mean", "max"))
        self.most = nn.EmbeddingBag(9, 4, mode="max")

    def forward(self, i, start):
        return *(bag(i, start) for bag in self.bags), self.most(i, start)


@case(
    [whole(0, 9, 6), torch.tensor([0, 2, 4])],
    [{0: "words"}, {0: "bags"}],
    [
        *([torch.tensor([1, 2, 2, 4, 5, 2]), torch.tensor(start)] for start in (*BAGS, *NOT_BAGS[:2])),
        [whole(0, 9, 6), torch.tensor([0, 4, 2])],
        [whole(0, 9, 0), torch.tensor([0, 0])],
    ],
)
class bags_with_a_last_offset(nn.Module):
    def __init__(self):
        super().__init__()
        self.plain = nn.ModuleList(
            nn.EmbeddingBag(9, 4, mode=m, include_last_offset=True) for m in ("sum", "mean", "max")
        )
        self.padded = nn.ModuleList(
            nn.EmbeddingBag(9, 4, mode=m, padding_idx=2, include_last_offset=True) for m in ("sum", "mean", "max")
        )

    def forward(self, i, start):
        return *(bag(i, start) for bag in self.plain), *(bag(i, start) for bag in self.padded)


@case(
    [normal(5, 3), torch.tensor([0, 2, 2, 1, -4]), torch.tensor([2, 0, 0, -1, 1])],
    [{0: "nodes"}, {0: "nodes"}, {0: "nodes"}],
    [
        [normal(7, 3), torch.tensor([3] * 7), torch.tensor([1] * 7)],
        [normal(0, 3), torch.tensor([], dtype=torch.int64), torch.tensor([], dtype=torch.int64)],
    ],
)
class places_added_to(nn.Module):
    def forward(self, x, i, j):
        put = torch.ops.aten.index_put.default
        start = torch.full((4, 3), 2.0)
        start.index_put_((i % 4,), x, accumulate=True)
        return (
            start.index_add_(0, i % 4, x),
            torch.zeros(4, 3).index_put((i, j), x[:, 0], accumulate=True),
            torch.zeros(4, 3).index_put((i, j), torch.tensor(0.5), accumulate=True),
            put(torch.zeros(2, 4), [None, i], x[:, :2].t(), True),
            put(torch.zeros(4, 2, 3), [i, None, j], x[:, :2], False),
        )


@case([whole(0, 9, 3, 4)], [BATCH], [[whole(0, 9, 2, 4)]])
class embedding_with_a_largest_norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 4, max_norm=0.5)

    def forward(self, i):
        return self.table(i)


@case(
    [normal(5, 3), torch.tensor([[0, 1, 2, 3], [1, 2, 0, 4]]), torch.tensor([1.0, 1, 0, 1])],
    [{0: "nodes"}, {1: "edges"}, {0: "edges"}],
    [
        [normal(3, 3), torch.tensor([[0], [2]]), torch.ones(1)],
        [normal(4, 3), torch.tensor([[0, 0, 1], [3, 3, 3]]), torch.zeros(3)],
    ],
)
class graph_of_nodes(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x, edges, weight):
        sent = self.layer(torch.cat([x[edges[0]], x[edges[1]]], 1)) * weight[:, None]
        total = torch.zeros_like(x).index_add(0, edges[1], sent)
        count = torch.zeros(x.shape[0]).scatter_add(0, edges[1], weight)
        most = torch.full_like(x, -9.0).scatter_reduce(0, edges[1][:, None].expand_as(sent), sent, "amax")
        return total / count.clamp(min=1)[:, None], most
