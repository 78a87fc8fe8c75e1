"""What no graph can say: random numbers, state, checks of values, and modules left as they should not be."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .case import BATCH, case, normal, whole


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]], refused=r"random.*F\.dropout\(x\)")
class dropout_always_on(nn.Module):
    def forward(self, x):
        return F.dropout(x)


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]])
class dropout_of_no_effect(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.AlphaDropout(0.5))

    def forward(self, x):
        return self.layers(x), F.dropout(x, 0.3, self.training), F.rrelu(x, training=self.training)


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]], refused=r"random.*torch\.randn_like\(x\)")
class noise_added(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x)


@case([normal(3, 4).softmax(1)], [BATCH], [[normal(2, 4).softmax(1)]], refused="random.*torch.multinomial")
class sampled(nn.Module):
    def forward(self, x):
        return torch.multinomial(x, 1), torch.bernoulli(x)


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]], refused="rand")
class noise_in_a_branch(nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda v: v + torch.rand_like(v), lambda v: v * 1.0, (x,))


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]], refused="count")
class python_counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 0

    def forward(self, x):
        self.count += 1
        return x * self.count


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]], refused="count")
class buffer_counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count += 1
        return x * self.count


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]], refused="running_mean|num_batches_tracked")
class batch_norm_always_learning(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(4))
        self.register_buffer("running_var", torch.ones(4))

    def forward(self, x):
        return F.batch_norm(x, self.running_mean, self.running_var, training=True)


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]], refused="state|assigned|changes")
class remembers_its_input(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = torch.zeros(4)

    def forward(self, x):
        y = x + self.last
        self.last = x[0]
        return y


@case([normal(3, 4).abs()], [BATCH], [[-normal(2, 4).abs()]], refused=r"assert.*all\(\)")
class assertion_on_values(nn.Module):
    def forward(self, x):
        torch._assert((x > 0).all(), "the input must be positive")
        return x.log()


@case([whole(0, 4, 3)], [BATCH], [[torch.tensor([1, 9])]], refused=r"assertion.*x\.max\(\)\.item\(\).*u0 <= 4")
class check_on_values(nn.Module):
    def forward(self, x):
        n = x.max().item()
        torch._check(n < 5)
        return torch.arange(n + 1)


@case([normal(3, 4).abs()], [BATCH], [[normal(9, 4).abs()]], refused=r"assertion.*u0 <= 14")
class assertion_on_a_count(nn.Module):
    def forward(self, x):
        found = x[x > 0]
        torch._check(found.shape[0] < 15)
        return found * 2


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]])
class module_left_in_training(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4))
        self.train()

    def forward(self, x):
        return self.layers(x)


@case([normal(3, 4)], [BATCH], [[normal(2, 4)], [normal(0, 4)]])
class input_written_in_place(nn.Module):
    def forward(self, x):
        y = x.t()
        y = y * 2
        z = x.clone()
        z.view(-1)[::2].mul_(3)
        z.t().add_(1)
        return y, z


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]])
class input_changed(nn.Module):
    def forward(self, x):
        x.mul_(2)
        return x.sum(1)


@case([normal(3, 4)], [BATCH], [[normal(2, 4)], [normal(0, 4)]])
class answers_that_are_inputs(nn.Module):
    def forward(self, x):
        return x, x, torch.ones(3), x.detach()


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]], refused="bfloat16")
class brain_floats(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4, dtype=torch.bfloat16)

    def forward(self, x):
        return self.layer(x.bfloat16()).float()


@case([normal(3, 4)], [BATCH], [[normal(2, 4)]])
class weights_of_one_tensor(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.b.weight = self.a.weight
        self.c = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))

    def forward(self, x):
        return self.c(self.b(self.a(x)))


@case(
    [whole(1, 5, 3), normal(3, 4)],
    [BATCH, {0: "batch"}],
    [[whole(1, 5, 2), normal(2, 4)], [torch.tensor([9]), normal(1, 4)]],
)
class mask_of_lengths(nn.Module):
    def forward(self, lengths, x):
        mask = torch.arange(lengths.max().item()) < lengths[:, None]
        return mask, mask.sum(1) * x[:, 0]
