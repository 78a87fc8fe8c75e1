"""Arithmetic: NaN, infinities, empty batches, whole numbers, rounding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .case import BATCH, INF, NAN, case, floats, normal, whole

ODD = floats(NAN, INF, -INF, 0.0, -0.0, 1.5, -2.5)
"""Values at which elementwise operators disagree."""


@case([normal(2, 7)], [BATCH], [[ODD], [normal(0, 7)]])
class sign_of_nan(nn.Module):
    def forward(self, x):
        return torch.sign(x), torch.sgn(x), x.sign() * 2


@case([normal(2, 7)], [BATCH], [[ODD], [normal(0, 7)]])
class extremes_elementwise(nn.Module):
    def forward(self, x):
        y = x.flip(1)
        return torch.maximum(x, y), torch.minimum(x, y), torch.fmax(x, y), torch.fmin(x, y), torch.max(x, y)


@case([normal(2, 7)], [BATCH], [[ODD], [ODD.roll(3, 1)], [floats(1, 2, 3, NAN, 4, 5, 6)]])
class extremes_of_rows(nn.Module):
    def forward(self, x):
        return x.amax(1), x.amin(1), x.max(1).values, x.min(1, keepdim=True).values, x.max(), x.aminmax(dim=1).min


@case([normal(2, 7)], [BATCH], [[ODD.nan_to_num()], [floats(3, 1, 3, 2, 1, 0, 3)]])
class places_of_extremes(nn.Module):
    def forward(self, x):
        return x.argmax(1), x.argmin(1), x.max(1).indices


@case([normal(2, 7)], [BATCH], [[ODD.roll(2, 1)], [floats(5, 1, NAN, 2, NAN, 4, 5)]])
class places_of_nan(nn.Module):
    def forward(self, x):
        return x.argmax(1), x.max(1).indices, x.min(1).indices


@case([normal(2, 7)], [BATCH], [[ODD]])
class clamps(nn.Module):
    def forward(self, x):
        low = x.new_full((), -0.5)
        return (
            x.clamp(-1, 1),
            x.clamp(min=0.5),
            x.clamp(max=-0.5),
            torch.clamp(x, min=low),
            F.hardtanh(x),
            x.clamp(1, -1),
        )


@case([normal(2, 7)], [BATCH], [[ODD], [100 * normal(3, 7)]])
class activations_at_extremes(nn.Module):
    def forward(self, x):
        first = F.relu(x), F.relu6(x), F.leaky_relu(x, 0.1), F.softplus(x), F.hardsigmoid(x), F.hardswish(x)
        return (*first, F.logsigmoid(x), F.mish(x), F.elu(x), F.selu(x), F.celu(x, 0.7), F.threshold(x, 0.1, 3.0))


@case([normal(2, 7)], [BATCH], [[floats(NAN, -9, 9, 0.0, -0.0, 1.5, -2.5)], [100 * normal(3, 7)]])
class more_activations(nn.Module):
    def forward(self, x):
        first = F.gelu(x), F.gelu(x, approximate="tanh"), F.hardshrink(x), F.softshrink(x), F.tanhshrink(x)
        return (*first, F.softsign(x), F.silu(x), F.glu(x[:, :6]))


@case([normal(2, 7)], [BATCH], [[ODD]])
class tests_of_numbers(nn.Module):
    def forward(self, x):
        return x.isnan(), x.isinf(), x.isfinite(), x == x.flip(1), x != x, torch.logical_xor(x > 0, x < 1), x.signbit()


@case([normal(2, 7)], [BATCH], [[ODD]])
class numbers_in_place_of_nan(nn.Module):
    def forward(self, x):
        return torch.nan_to_num(x, 1.0, 2.0, -3.0), torch.nansum(x, 1), torch.nanmean(x, 1)


@case([normal(3, 4)], [BATCH], [[normal(0, 4)], [normal(1, 4)], [normal(7, 4)]])
class reductions_along_rows(nn.Module):
    def forward(self, x):
        return (
            x.sum(-1),
            x.mean(-1),
            x.prod(1),
            x.sum(-1, keepdim=True),
            x.std(1),
            x.var(1, unbiased=False),
            x.norm(dim=1),
        )


@case([normal(3, 4)], [BATCH], [[normal(0, 4)], [normal(1, 4)], [normal(7, 4)]])
class reductions_of_the_batch(nn.Module):
    def forward(self, x):
        return x.sum(0), x.sum(), x.mean(0), x.mean(), x.prod(0), x.var(0, unbiased=False)


@case([normal(3, 4)], [BATCH], [[normal(0, 4)], [normal(1, 4)]])
class all_and_any(nn.Module):
    def forward(self, x):
        return (x > 0).all(1), (x > 0).any(1), (x > 0).all(), (x > 0).any(), (x > 0).any(0), (x > 0).sum(1)


@case([normal(3, 5, 4)], [{0: "batch", 1: "length"}], [[normal(2, 1, 4)], [normal(0, 5, 4)], [normal(2, 9, 4)]])
class softmax_and_kin(nn.Module):
    def forward(self, x):
        return x.softmax(-1), x.log_softmax(1), x.logsumexp(-1), F.normalize(x, dim=-1), x.cumsum(1), x.softmax(0)


@case([normal(3, 4)], [BATCH], [[torch.full((2, 4), -INF)], [floats(-INF, -INF, 1, 2)], [floats(INF, 1, 2, 3)]])
class softmax_of_infinities(nn.Module):
    def forward(self, x):
        return x.softmax(-1), x.log_softmax(-1), x.logsumexp(-1)


@case([whole(-9, 9, 3, 4), whole(1, 5, 3, 4)], [BATCH, BATCH], [[whole(-99, 99, 5, 4), -whole(1, 7, 5, 4)]])
class whole_division(nn.Module):
    def forward(self, a, b):
        return a // b, a % b, torch.fmod(a, b), torch.div(a, b, rounding_mode="trunc"), a / b


@case([normal(3, 4), normal(3, 4)], [BATCH, BATCH], [[ODD[:, :4], ODD[:, 3:]], [normal(2, 4), torch.zeros(2, 4)]])
class division_of_floats(nn.Module):
    def forward(self, a, b):
        return a // b, a % b, torch.fmod(a, b), torch.div(a, b, rounding_mode="trunc"), torch.remainder(a, 0.7)


@case([whole(-9, 9, 3, 4)], [BATCH], [[torch.tensor([[2**40, -(2**40), 2**62, -7]])]])
class whole_numbers_beyond_32_bits(nn.Module):
    def forward(self, x):
        return x + 2**40, x * 3, x >> 2, x << 1, x & 0xFFFF, x ^ 5, ~x, x.abs(), x.float()


@case([whole(0, 256, 3, 4, dtype=torch.uint8)], [BATCH], [[torch.tensor([[255, 0, 128, 7]], dtype=torch.uint8)]])
class bytes_wrap_around(nn.Module):
    def forward(self, x):
        return x + 200, x * 3, x - 1, x.float() / 255, x >> 1, x.sum(1), x.to(torch.int8)


@case([normal(3, 4)], [BATCH], [[floats(0.5, 1.5, 2.5, -0.5)], [floats(1.005, 2.675, -1.125, 1e7)]])
class rounding(nn.Module):
    def forward(self, x):
        return x.round(), x.round(decimals=2), x.floor(), x.ceil(), x.trunc(), x.frac(), (x * 10).round(decimals=-1)


@case([normal(3, 4)], [BATCH], [[floats(3.99, -3.99, 0.5, -0.5)], [floats(300.7, -129.2, 65537, 0)]])
class casts(nn.Module):
    def forward(self, x):
        return x.long(), x.int(), x.bool(), x.double(), x.half(), x.to(torch.int64).float()


@case([normal(3, 4, dtype=torch.float64)], [BATCH], [[normal(5, 4, dtype=torch.float64)]])
class double_precision(nn.Module):
    def forward(self, x):
        return x + 0.1, x * 1e-300, x.softmax(1), x / 3, torch.tensor(0.1, dtype=torch.float64) + x


@case([normal(3, 4)], [BATCH], [[ODD[:, :4]], [floats(1e-30, -2.0, 4.0, 1e30)]])
class powers_and_logarithms(nn.Module):
    def forward(self, x):
        first = x**2, x**0.5, x**-1, 2**x, torch.pow(x, 3.0), x.log(), x.log1p(), x.expm1(), x.rsqrt(), x.log2()
        return (*first, torch.xlogy(x, x), torch.atan2(x, x.flip(1)), torch.hypot(x, x + 1), x.logit(1e-3), x.exp2())


@case([normal(3, 4)], [BATCH], [[normal(5, 4)], [10 * normal(1, 4)]])
class special_functions(nn.Module):
    def forward(self, x):
        first = torch.erf(x), torch.erfc(x), torch.sinc(x), torch.asinh(x), x.tan(), torch.atan(x), torch.cosh(x)
        return (*first, torch.heaviside(x, x.new_tensor(0.5)), torch.copysign(x, -x.flip(1)), torch.lerp(x, x * 2, 0.3))


@case([normal(3, 5)], [BATCH], [[floats(1, 2, 3, 4, 5)], [floats(5, NAN, 1, 2, 3)], [normal(0, 5)]])
class medians(nn.Module):
    def forward(self, x):
        found = x.median(1)
        return found.values, x.median(-1, keepdim=True).values, x[:, :4].median(1).values


@case([normal(3, 5)], [BATCH], [[normal(2, 5)], [normal(1, 5)], [floats(1, NAN, 2, 3, 4)], [normal(0, 5)]])
class median_of_everything(nn.Module):
    def forward(self, x):
        return x.median(), (10 * x).long().median(1).values


@case([normal(3, 5)], [BATCH], [[floats(2, 1, 2, 1, 2)]], refused=r"median.*x\.median\(1\)\.indices")
class place_of_the_median(nn.Module):
    def forward(self, x):
        return x.median(1).indices


@case([normal(3, 5)], [BATCH], [[floats(1, 4, 2, 8, 5)], [normal(7, 5)]])
class quantiles(nn.Module):
    def forward(self, x):
        return (
            torch.quantile(x, 0.3, dim=1),
            torch.quantile(x, torch.tensor([0.25, 0.5]), dim=1),
            x.kthvalue(2, 1).values,
        )


@case([normal(3, 5)], [BATCH], [[floats(3, 1, 3, 2, 1)], [normal(6, 5)]])
class order(nn.Module):
    def forward(self, x):
        ranked = x.sort(dim=1, descending=True, stable=True)
        return (
            *ranked,
            x.argsort(dim=1, stable=True),
            x.topk(2, 1).values,
            x.topk(3, 1, largest=False).values,
            x.msort(),
        )


@case([normal(3, 5)], [BATCH], [[normal(1, 5)], [normal(6, 5)], [ODD[:, :5]]])
class running(nn.Module):
    def forward(self, x):
        return x.cumsum(1), x.cumprod(1), x.cummax(1).values, x.cummin(1).values, x.logcumsumexp(1), x.diff(dim=1)


@case(
    [whole(0, 2, 3, 5).bool()], [BATCH], [[torch.ones(2, 5, dtype=torch.bool)], [torch.zeros(1, 5, dtype=torch.bool)]]
)
class truth_values(nn.Module):
    def forward(self, m):
        return (
            m.sum(1),
            m.float().mean(1),
            ~m,
            m & m.flip(1),
            m.long().cumsum(1),
            m.int().argmax(1),
            torch.where(m, 1.0, -2.0),
        )


@case([normal(3, 4, dtype=torch.float16)], [BATCH], [[normal(5, 4, dtype=torch.float16)]])
class half_precision(nn.Module):
    def forward(self, x):
        return x + 1, x.softmax(1), x.float().sum(1), x * x


@case([normal(3, 4), normal(3, 4)], [BATCH, BATCH], [[normal(2, 4), normal(2, 4)], [torch.zeros(1, 4), normal(1, 4)]])
class distances(nn.Module):
    def forward(self, a, b):
        return F.cosine_similarity(a, b), torch.cdist(a, b), F.pairwise_distance(a, b), torch.dist(a, b)


@case([normal(3, 4, dtype=torch.float64)], [BATCH], [[normal(5, 4, dtype=torch.float64)]], refused="erf")
class double_precision_of_erf(nn.Module):
    def forward(self, x):
        return x.erf()
