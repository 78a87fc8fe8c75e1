"""Convolutions, pooling, resizing, sampling, boxes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import nms, roi_align

from .case import BATCH, case, normal

PLANE = {0: "batch", 2: "height", 3: "width"}


@case([normal(2, 3, 9, 12)], [PLANE], [[normal(1, 3, 12, 9)], [normal(3, 3, 7, 5)]])
class adaptive_average_pool_uneven(nn.Module):
    def forward(self, x):
        return F.adaptive_avg_pool2d(x, (3, 2)), F.adaptive_avg_pool2d(x, 1)


@case([normal(2, 3, 9, 12)], [PLANE], [[normal(1, 3, 12, 9)], [normal(3, 3, 7, 5)]])
class adaptive_largest_pool(nn.Module):
    def forward(self, x):
        return F.adaptive_max_pool2d(x, (3, 2)), F.adaptive_max_pool2d(x, (1, 1)), F.adaptive_avg_pool2d(x, (None, 2))


@case([normal(2, 3, 12)], [{0: "batch", 2: "length"}], [[normal(1, 3, 7)], [normal(3, 3, 5)], [normal(0, 3, 9)]])
class adaptive_pool_of_sequences(nn.Module):
    def forward(self, x):
        return F.adaptive_avg_pool1d(x, 5), F.adaptive_max_pool1d(x, 4)


@case([normal(2, 3, 10, 13)], [BATCH], [[normal(1, 3, 10, 13)], [normal(0, 3, 10, 13)]])
class adaptive_pool_of_fixed_planes(nn.Module):
    def forward(self, x):
        return F.adaptive_avg_pool2d(x, (3, 4)), F.adaptive_max_pool2d(x, (4, 3))


@case([normal(2, 3, 9, 12)], [PLANE], [[normal(1, 3, 12, 9)], [normal(3, 3, 7, 5)]])
class average_pool_with_divisor(nn.Module):
    def forward(self, x):
        return F.avg_pool2d(x, 3, divisor_override=2), F.avg_pool2d(x, (2, 3), 1, (1, 1), divisor_override=5)


@case([normal(2, 3, 9, 12)], [PLANE], [[normal(1, 3, 12, 9)], [normal(3, 3, 8, 6)]])
class pools_that_round_up(nn.Module):
    def forward(self, x):
        first = (
            F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
            F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        )
        return *first, F.max_pool2d(x, 3, 2, 1, ceil_mode=True), F.avg_pool2d(x, 2, 3, ceil_mode=True)


@case([normal(2, 3, 9, 12)], [PLANE], [[normal(1, 3, 12, 9)], [normal(3, 3, 8, 6)]])
class pools_of_other_kinds(nn.Module):
    def forward(self, x):
        most, place = F.max_pool2d(x, 2, return_indices=True)
        return most, place, F.lp_pool2d(x, 2.0, 2), F.max_pool2d(x, 3, 1, dilation=2)


def spotted(*shape):
    """A picture with one pixel of NaN."""
    picture = normal(*shape)
    picture[..., 3, 4] = torch.nan
    return picture


@case([normal(2, 3, 9, 12)], [PLANE], [[spotted(1, 3, 12, 9)], [spotted(3, 3, 8, 6)]])
class pools_of_nan(nn.Module):
    def forward(self, x):
        return (
            F.max_pool2d(x, 3, 2, 1),
            F.avg_pool2d(x, 2),
            F.adaptive_avg_pool2d(x, 1),
            F.adaptive_max_pool2d(x, 2),
            x.amax((2, 3)),
        )


@case([normal(2, 3, 8, 12)], [BATCH], [[normal(1, 3, 8, 12)], [normal(3, 3, 8, 12)]])
class unpooled(nn.Module):
    def forward(self, x):
        most, place = F.max_pool2d(x, 2, return_indices=True)
        return F.max_unpool2d(most, place, 2)


@case([normal(2, 3, 9, 12)], [PLANE], [[normal(1, 3, 12, 9)], [normal(3, 3, 7, 5)]])
class resized_by_a_fraction(nn.Module):
    def forward(self, x):
        first = (F.interpolate(x, scale_factor=1.7, mode=m) for m in ("nearest", "nearest-exact"))
        return (
            *first,
            F.interpolate(x, scale_factor=1.7, mode="bilinear"),
            F.interpolate(x, scale_factor=0.6, mode="nearest"),
        )


@case([normal(2, 3, 9, 12)], [PLANE], [[normal(1, 3, 12, 9)], [normal(3, 3, 7, 5)]])
class resized_by_a_fraction_recomputed(nn.Module):
    def forward(self, x):
        return tuple(
            F.interpolate(x, scale_factor=1.7, mode=m, recompute_scale_factor=True)
            for m in ("nearest", "bilinear", "bicubic")
        )


@case([normal(2, 3, 9, 12)], [PLANE], [[normal(1, 3, 12, 9)], [normal(3, 3, 7, 5)]])
class resized_to_a_size(nn.Module):
    def forward(self, x):
        first = tuple(
            F.interpolate(x, (10, 7), mode=m) for m in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
        )
        return (
            *first,
            F.interpolate(x, (10, 7), mode="bilinear", align_corners=True),
            F.interpolate(x, (10, 7), mode="bicubic", align_corners=True),
        )


@case(
    [normal(2, 3, 9, 12), normal(2, 3, 5, 6)],
    [PLANE, {0: "batch", 2: "h", 3: "w"}],
    [[normal(1, 3, 12, 9), normal(1, 3, 6, 5)], [normal(3, 3, 7, 5), normal(3, 3, 14, 3)]],
)
class resized_to_another(nn.Module):
    def forward(self, x, small):
        size = x.shape[-2:]
        return (
            F.interpolate(small, size, mode="bilinear", align_corners=False) + x,
            F.interpolate(small, size, mode="nearest"),
            F.interpolate(small, size, mode="bilinear", align_corners=True),
        )


@case([normal(1, 1, 1, 1501)], [{0: "batch", 3: "width"}], [[torch.full((2, 1, 1, 9), 7.0)]])
class resized_far(nn.Module):
    def forward(self, x):
        return F.interpolate(x, (1, 1130), mode="bilinear")


@case([normal(2, 3, 9, 12)], [PLANE], [[normal(1, 3, 12, 9)], [normal(3, 3, 20, 31)]])
class resized_with_antialias(nn.Module):
    def forward(self, x):
        return F.interpolate(x, (6, 5), mode="bilinear", antialias=True), F.interpolate(
            x, (6, 5), mode="bicubic", antialias=True
        )


@case([normal(2, 3, 9)], [{0: "batch", 2: "length"}], [[normal(1, 3, 5)], [normal(3, 3, 16)]])
class resized_sequences(nn.Module):
    def forward(self, x):
        return (
            F.interpolate(x, scale_factor=2.0),
            F.interpolate(x, 7, mode="linear"),
            F.interpolate(x, scale_factor=1.5, mode="linear"),
        )


@case([normal(2, 3, 6, 8), normal(2, 4, 5, 2)], [BATCH, BATCH], [[normal(3, 3, 6, 8), 2 * normal(3, 4, 5, 2)]])
class sampled_on_a_grid(nn.Module):
    def forward(self, x, g):
        return tuple(
            F.grid_sample(x, g, mode=m, padding_mode=p, align_corners=a)
            for m, p, a in (
                ("bilinear", "zeros", False),
                ("nearest", "border", True),
                ("bicubic", "reflection", False),
                ("bilinear", "reflection", True),
            )
        )


@case([normal(2, 3, 6, 8), normal(2, 2, 3)], [BATCH, BATCH], [[normal(3, 3, 6, 8), normal(3, 2, 3)]])
class affine(nn.Module):
    def forward(self, x, t):
        grid = F.affine_grid(t, (x.shape[0], 3, 5, 7), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)


@case([normal(2, 4, 9, 12)], [PLANE], [[normal(1, 4, 12, 9)], [normal(3, 4, 7, 6)], [normal(0, 4, 9, 12)]])
class convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.same, self.even = nn.Conv2d(4, 6, 3, padding="same"), nn.Conv2d(4, 4, (2, 4), padding="same")
        self.group, self.circular = (
            nn.Conv2d(4, 8, 3, 2, 1, groups=4),
            nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
        )
        self.reflect = nn.Conv2d(4, 2, 3, padding=(1, 2), padding_mode="reflect", dilation=2, bias=False)

    def forward(self, x):
        return self.same(x), self.even(x), self.group(x), self.circular(x), self.reflect(x)


@case([normal(2, 4, 5, 6)], [PLANE], [[normal(1, 4, 6, 5)], [normal(3, 4, 3, 4)]])
class convolutions_transposed(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = (
            nn.ConvTranspose2d(4, 3, 3, 2, 1, output_padding=1),
            nn.ConvTranspose2d(4, 4, (2, 3), (2, 3), groups=2, dilation=2),
        )

    def forward(self, x):
        return self.a(x), self.b(x)


@case([normal(2, 3, 12), normal(3, 3, 3)], [{0: "batch", 2: "length"}, {}], [[normal(1, 3, 7), normal(3, 3, 3)]])
class convolution_with_given_weights(nn.Module):
    def forward(self, x, w):
        return F.conv1d(x, w, padding=1), F.conv_transpose1d(x, w, stride=2)


@case([normal(2, 8, 4, 6)], [PLANE], [[normal(1, 8, 6, 4)]])
class shuffled_pixels(nn.Module):
    def forward(self, x):
        first = F.pixel_shuffle(x, 2), F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), F.channel_shuffle(x, 4)
        return *first, x.unflatten(1, (2, 4)).sum(2)


@case([normal(2, 3, 8, 8)], [BATCH], [[normal(1, 3, 8, 8)], [normal(5, 3, 8, 8)]])
class patches(nn.Module):
    def forward(self, x):
        columns = F.unfold(x, 3, padding=1, stride=2)
        return columns, F.fold(columns, (8, 8), 3, padding=1, stride=2)


@case(
    [normal(2, 3, 5, 6, 7)],
    [{0: "batch", 2: "depth", 3: "height", 4: "width"}],
    [[normal(1, 3, 7, 5, 6)], [normal(3, 3, 4, 8, 5)]],
)
class volumes(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Conv3d(3, 4, 3, padding=1), nn.BatchNorm3d(4)

    def forward(self, x):
        y = self.norm(self.layer(x))
        return (
            y,
            F.max_pool3d(y, 2),
            F.avg_pool3d(y, 3, 2, 1),
            F.adaptive_avg_pool3d(y, 1),
            F.interpolate(y, scale_factor=2.0),
        )


@case(
    [torch.rand(6, 4).cumsum(1), torch.rand(6)],
    [{0: "boxes"}, {0: "boxes"}],
    [
        [torch.tensor([[0.0, 0, 1, 1]] * 3), torch.ones(3)],
        [torch.rand(0, 4), torch.rand(0)],
        [torch.rand(9, 4).cumsum(1), torch.rand(9)],
    ],
)
class boxes_that_overlap(nn.Module):
    def forward(self, boxes, scores):
        return nms(boxes, scores, 0.3)


@case(
    [normal(1, 3, 8, 8), torch.tensor([[0.0, 1, 1, 6, 5], [0, 0, 0, 3, 3]])],
    [{}, {0: "boxes"}],
    [[normal(1, 3, 8, 8), torch.tensor([[0.0, 0, 0, 8, 8]])], [normal(1, 3, 8, 8), torch.zeros(0, 5)]],
)
class regions(nn.Module):
    def forward(self, x, boxes):
        return roi_align(x, boxes, (2, 3), aligned=True, sampling_ratio=2), roi_align(
            x, boxes, (2, 2), aligned=False, sampling_ratio=2
        )


@case([normal(2, 3, 6, 8)], [PLANE], [[normal(1, 3, 8, 6)], [normal(3, 3, 5, 5)]])
class gated_channels(nn.Module):
    def __init__(self):
        super().__init__()
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 2, 1), nn.SiLU(), nn.Conv2d(2, 3, 1), nn.Sigmoid()
        )

    def forward(self, x):
        return x * self.squeeze(x), x.mean((2, 3)), x.amax((-2, -1)), x.flatten(2).std(-1)
