"""Free sizes: branches and loops over them, views, empty batches, padding, slices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .case import BATCH, case, normal, whole

LENGTH = {0: "batch", 1: "length"}


@case([normal(3, 12)], [LENGTH], [[normal(2, 5)]], refused=r"length > 8.*x\.shape\[1\] > 8")
class branch_on_length(nn.Module):
    def forward(self, x):
        return x * 2 if x.shape[1] > 8 else x - 1


@case([normal(3, 12)], [{0: "batch", 1: ("length", 9, 99)}], [[normal(2, 9)], [normal(2, 99)]])
class branch_within_the_promise(nn.Module):
    def forward(self, x):
        return x * 2 if x.shape[1] > 8 else x - 1


@case([normal(3, 5)], [LENGTH], [[normal(3, 2)]], refused="length")
class loop_over_length(nn.Module):
    def forward(self, x):
        total = torch.zeros(x.shape[0])
        for step in range(x.shape[1]):
            total = total * 0.5 + x[:, step]
        return total


@case([normal(3, 4)], [BATCH], [[normal(5, 4)]], refused="batch")
class loop_over_batch(nn.Module):
    def forward(self, x):
        return torch.stack([row.sum() for row in x])


@case([normal(3, 4)], [BATCH], [[-normal(2, 4).abs()]], refused=r"sum\(\) > 0")
class branch_on_values(nn.Module):
    def forward(self, x):
        return x * 2 if x.sum() > 0 else x - 1


@case([normal(3, 8)], [LENGTH], [[normal(2, 6)], [normal(1, 7)]], refused=r"length % 2")
class even_length(nn.Module):
    def forward(self, x):
        return x.view(x.shape[0], x.shape[1] // 2, 2).sum(-1) if x.shape[1] % 2 == 0 else x


@case([normal(3, 8)], [LENGTH], [[normal(2, 6)], [normal(1, 2)]])
class length_that_must_be_even(nn.Module):
    def forward(self, x):
        return x.view(x.shape[0], x.shape[1] // 2, 2).sum(-1)


@case(
    [normal(4, 6), normal(4, 6)],
    [{0: "batch"}, {0: "rows"}],
    [[normal(2, 6), normal(2, 6)]],
    refused=r"batch.*rows|rows.*batch",
)
class sizes_that_must_be_equal(nn.Module):
    def forward(self, x, y):
        return x + y


@case([normal(2, 6)], [BATCH], [[normal(6, 6)], [normal(1, 6)]], refused="batch != 6")
class batch_beside_a_constant(nn.Module):
    def forward(self, x):
        return x + x.mT if x.shape[0] == 6 else x * 2


@case([normal(2, 3, 4)], [LENGTH], [[normal(1, 1, 4)], [normal(3, 7, 4)]])
class views(nn.Module):
    def forward(self, x):
        b, n, c = x.shape
        return (
            x.view(b, -1),
            x.reshape(b * n, c),
            x.flatten(1),
            x.transpose(1, 2).reshape(b, c, n),
            x.unfold(2, 2, 1),
            x.permute(2, 0, 1),
        )


@case([normal(2, 3, 4)], [LENGTH], [[normal(1, 1, 4)], [normal(0, 3, 4)]])
class flattened(nn.Module):
    def forward(self, x):
        return x.flatten(1), x.flatten(0, 1), x.flatten(), x.mean(1).flatten(1)


@case([normal(2, 3, 4)], [LENGTH], [[normal(1, 1, 4)], [normal(3, 7, 4)], [normal(0, 3, 4)]])
class squeezes(nn.Module):
    def forward(self, x):
        return x[:, :, :1].squeeze(-1), x[:, :, None].squeeze(2), x.unsqueeze(-1), x.sum(1, keepdim=True).squeeze(1)


@case([normal(3, 1, 4)], [BATCH], [[normal(1, 1, 4)], [normal(5, 1, 4)]])
class squeeze_of_everything(nn.Module):
    def forward(self, x):
        return x.squeeze()


@case([normal(3, 7)], [LENGTH], [[normal(2, 4)], [normal(1, 12)], [normal(0, 7)]])
class slices(nn.Module):
    def forward(self, x):
        y = x.clone()
        y[:, 1::2] = 0
        y[:, 0] += 1
        return y, x[:, -3:], x[:, :-1], x[:, ::2], x.flip(1), x.roll(1, 1), x[:, -1], torch.narrow(x, 1, 0, 2)


@case([normal(3, 7)], [LENGTH], [[normal(2, 4)], [normal(1, 12)], [normal(0, 7)]])
class made_by_size(nn.Module):
    def forward(self, x):
        n = x.shape[1]
        return (
            torch.arange(n),
            torch.ones(n, n).tril(),
            torch.eye(n),
            torch.linspace(0, 1, 5) + x[:, :1],
            x.new_zeros(x.shape[0], 3),
            torch.full_like(x, 2.0),
        )


@case([normal(3, 7)], [LENGTH], [[normal(2, 4)], [normal(1, 12)]])
class triangles(nn.Module):
    def forward(self, x):
        square = x[:, :, None] * x[:, None, :]
        return (
            square.tril(),
            square.triu(1),
            square.diagonal(dim1=1, dim2=2),
            torch.diag_embed(x),
            square.tril(-1).sum(-1),
        )


@case([normal(3, 2, 7)], [{0: "batch", 2: "length"}], [[normal(1, 2, 5)], [normal(2, 2, 12)], [normal(0, 2, 7)]])
class padding_kinds(nn.Module):
    def forward(self, x):
        return (
            F.pad(x, (1, 2)),
            F.pad(x, (1, 2), "reflect"),
            F.pad(x, (2, 1), "replicate"),
            F.pad(x, (1, 1), "circular"),
            F.pad(x, (-1, 1), value=3.0),
        )


@case(
    [normal(3, 7), normal(2, 7)],
    [{0: "first"}, {0: "second"}],
    [[normal(1, 7), normal(4, 7)], [normal(0, 7), normal(2, 7)]],
)
class joined(nn.Module):
    def forward(self, x, y):
        return torch.cat([x, y]), torch.cat([x, x], 1), torch.stack([x, x], 1), torch.hstack([x, x]), x @ y.T


@case([normal(3, 6)], [BATCH], [[normal(1, 6)], [normal(0, 6)], [normal(4, 6)]])
class taken_apart(nn.Module):
    def forward(self, x):
        a, b = x.chunk(2, 1)
        c, d, e = x.split([1, 2, 3], 1)
        return a * b, c + d[:, :1], e, *x.unbind(1)[:2], x.tensor_split(4, 1)[0]


@case([normal(3, 6)], [BATCH], [[normal(1, 6)], [normal(0, 6)], [normal(4, 6)]])
class repeats(nn.Module):
    def forward(self, x):
        return (
            x.repeat(1, 2),
            x.repeat_interleave(2, 1),
            x[:, None].expand(-1, 3, -1),
            x.tile(2, 1),
            torch.meshgrid(x[:, 0], x[0], indexing="ij")[0] if x.shape[0] else x,
        )


@case([normal(3, 6)], [BATCH], [[normal(1, 6)], [normal(0, 6)], [normal(4, 6)]])
class einsums(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(6, 4))

    def forward(self, x):
        return (
            torch.einsum("bi,ij->bj", x, self.w),
            torch.einsum("bi,bi->b", x, x),
            torch.einsum("bi,bj->bij", x, x),
            torch.einsum("...i->...", x),
        )


@case(
    [normal(3, 4), normal(4, 5)], [BATCH, {1: "columns"}], [[normal(1, 4), normal(4, 1)], [normal(0, 4), normal(4, 5)]]
)
class products(nn.Module):
    def forward(self, a, b):
        return (
            a @ b,
            torch.addmm(torch.ones(1), a, b, beta=0.5, alpha=2),
            torch.outer(a[:, 0], b[0]),
            torch.linalg.vector_norm(a, dim=1),
            a.mv(b[:, 0]),
        )


@case([normal(2, 5, 4)], [LENGTH], [[normal(1, 1, 4)], [normal(3, 9, 4)], [normal(0, 5, 4)]])
class norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.group, self.batch = nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.BatchNorm1d(4)
        self.root = nn.RMSNorm(4)

    def forward(self, x):
        turned = x.transpose(1, 2)
        return self.layer(x), self.group(turned), self.batch(turned), self.root(x), F.layer_norm(x, (4,))


@case([normal(2, 4, 5)], [{0: "batch", 2: "length"}], [[normal(1, 4, 2)], [normal(3, 4, 9)]])
class instance_norms(nn.Module):
    def forward(self, x):
        return F.instance_norm(x), F.local_response_norm(x, 2)


@case([normal(3, 4)], [BATCH], [[-normal(2, 4).abs()], [normal(0, 4)]])
class torch_cond(nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda v: v * 2, lambda v: v - 1, (x,))


@case(
    [normal(2, 3), whole(1, 9, 1)], [BATCH, {}], [[normal(4, 3), torch.tensor([5])], [normal(0, 3), torch.tensor([1])]]
)
class while_loop(nn.Module):
    def forward(self, x, n):
        def more(i, v):
            return (i < n).all()

        def step(i, v):
            return i + 1, v * 0.5 + 1

        return torch.while_loop(more, step, (torch.zeros(1, dtype=torch.int64), x))[1]


@case([normal(2, 16)], [BATCH], [[normal(1, 16)], [normal(5, 16)]])
class spectra(nn.Module):
    def forward(self, x):
        z = torch.fft.rfft(x)
        return z.abs(), z.real, z.imag, torch.fft.irfft(z, 16)


@case([normal(2, 64)], [BATCH], [[normal(1, 64)], [normal(5, 64)]])
class short_time_spectra(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(16))

    def forward(self, x):
        z = torch.stft(x, 16, 4, window=self.window, return_complex=True)
        return torch.view_as_real(z), z.abs()


@case([normal(2, 4, 4)], [BATCH], [[normal(3, 4, 4)]], refused="inv|linalg")
class inverse_of_a_matrix(nn.Module):
    def forward(self, x):
        return torch.linalg.inv(x + 4 * torch.eye(4))
