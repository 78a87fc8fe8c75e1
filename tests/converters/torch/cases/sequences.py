"""Recurrent layers and attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .case import BATCH, case, normal, whole

LENGTH = {0: "batch", 1: "length"}


def mask(*rows: str) -> torch.Tensor:
    """One row per text, true where it has a 1."""
    return torch.tensor([[c == "1" for c in row] for row in rows])


@case([normal(3, 5, 4)], [LENGTH], [[normal(2, 1, 4)], [normal(1, 9, 4)]])
class lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(4, 6, 2, batch_first=True)

    def forward(self, x):
        out, (h, c) = self.layer(x)
        return out, h, c


@case([normal(3, 5, 4)], [LENGTH], [[normal(2, 1, 4)], [normal(1, 9, 4)]])
class lstm_both_ways(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(4, 6, batch_first=True, bidirectional=True)

    def forward(self, x):
        out, (h, c) = self.layer(x)
        return out, h, c


@case([normal(3, 5, 4)], [LENGTH], [[normal(2, 1, 4)], [normal(1, 9, 4)]])
class lstm_projected(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(4, 6, 2, batch_first=True, proj_size=3)

    def forward(self, x):
        out, (h, c) = self.layer(x)
        return out, h, c


@case([normal(3, 5, 4)], [LENGTH], [[normal(2, 1, 4)], [normal(1, 9, 4)]])
class lstm_projected_both_ways(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(4, 6, batch_first=True, proj_size=3, bidirectional=True)

    def forward(self, x):
        out, (h, c) = self.layer(x)
        return out, h, c


@case(
    [normal(5, 3, 4), normal(4, 3, 6)],
    [{0: "length", 1: "batch"}, {1: "batch"}],
    [[normal(1, 2, 4), normal(4, 2, 6)], [normal(9, 1, 4), normal(4, 1, 6)]],
)
class gru_both_ways_with_state(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(4, 6, 2, bidirectional=True)

    def forward(self, x, h):
        return self.layer(x, h)


@case([normal(3, 5, 4)], [LENGTH], [[normal(2, 1, 4)], [normal(1, 9, 4)]])
class plain_recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.tanh, self.relu = (
            nn.RNN(4, 6, batch_first=True),
            nn.RNN(4, 3, batch_first=True, nonlinearity="relu", bias=False),
        )

    def forward(self, x):
        return *self.tanh(x), self.relu(x)[0]


@case(
    [normal(3, 4), normal(3, 6), normal(3, 6)],
    [BATCH] * 3,
    [[normal(1, 4), normal(1, 6), normal(1, 6)], [normal(0, 4), normal(0, 6), normal(0, 6)]],
)
class cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.gru, self.rnn = nn.LSTMCell(4, 6), nn.GRUCell(4, 6), nn.RNNCell(4, 6)

    def forward(self, x, h, c):
        return *self.lstm(x, (h, c)), self.gru(x, h), self.rnn(x, h)


@case(
    [normal(3, 5, 4), torch.tensor([5, 2, 4])],
    [LENGTH, BATCH],
    [
        [normal(2, 7, 4), torch.tensor([7, 1])],
        [normal(1, 3, 4), torch.tensor([3])],
        [normal(4, 3, 4), torch.tensor([1, 3, 2, 3])],
    ],
)
class lstm_packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(4, 6, batch_first=True)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, (h, c) = self.layer(packed)
        return pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])[0], h, c


@case(
    [normal(3, 5, 4), torch.tensor([5, 2, 4])],
    [LENGTH, BATCH],
    [
        [normal(2, 7, 4), torch.tensor([7, 1])],
        [normal(1, 3, 4), torch.tensor([3])],
        [normal(4, 6, 4), torch.tensor([1, 3, 2, 3])],
    ],
)
class gru_packed_both_ways(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(4, 6, 2, batch_first=True, bidirectional=True)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, h = self.layer(packed)
        padded, sizes = pad_packed_sequence(out, batch_first=True, padding_value=-1.0)
        return padded, sizes, h


@case(
    [normal(2, 3, 5, 4), mask("11111", "11100")[:, None, None]],
    [{0: "batch", 2: "length"}, {0: "batch", 3: "length"}],
    [[normal(2, 3, 4, 4), mask("1000", "0000")[:, None, None]], [normal(1, 3, 7, 4), mask("0000000")[:, None, None]]],
)
class attention_with_masked_rows(nn.Module):
    def forward(self, x, m):
        return F.scaled_dot_product_attention(x, x, x, attn_mask=m)


@case(
    [normal(2, 3, 5, 4), normal(2, 1, 5, 5)],
    [{0: "batch", 2: "length"}, {0: "batch", 2: "length", 3: "length"}],
    [
        [normal(2, 3, 4, 4), torch.full((2, 1, 4, 4), -torch.inf)],
        [normal(1, 3, 6, 4), normal(1, 1, 6, 6).masked_fill(torch.ones(6, 6).triu(1).bool(), -torch.inf)],
    ],
)
class attention_with_added_mask(nn.Module):
    def forward(self, x, m):
        return F.scaled_dot_product_attention(x, x, x, attn_mask=m, scale=0.3)


@case(
    [normal(2, 3, 5, 4), normal(2, 3, 7, 4)],
    [{0: "batch", 2: "length"}, {0: "batch", 2: "keys"}],
    [
        [normal(1, 3, 1, 4), normal(1, 3, 1, 4)],
        [normal(2, 3, 9, 4), normal(2, 3, 4, 4)],
        [normal(2, 3, 2, 4), normal(2, 3, 6, 4)],
    ],
)
class attention_causal(nn.Module):
    def forward(self, q, k):
        return F.scaled_dot_product_attention(q, k, k, is_causal=True), F.scaled_dot_product_attention(q, k, k)


@case(
    [normal(2, 4, 5, 4), normal(2, 2, 5, 4)],
    [{0: "batch", 2: "length"}, {0: "batch", 2: "length"}],
    [[normal(1, 4, 1, 4), normal(1, 2, 1, 4)], [normal(2, 4, 9, 4), normal(2, 2, 9, 4)]],
)
class attention_grouped(nn.Module):
    def forward(self, q, k):
        return F.scaled_dot_product_attention(q, k, k, enable_gqa=True, is_causal=True)


@case(
    [normal(2, 5, 8), mask("00000", "00011")],
    [LENGTH, LENGTH],
    [[normal(2, 4, 8), mask("0111", "0100")], [normal(1, 7, 8), mask("0000000")], [normal(1, 1, 8), mask("0")]],
)
class multihead_attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, m):
        out, weights = self.layer(x, x, x, key_padding_mask=m)
        return out, weights, self.layer(x, x, x, key_padding_mask=m, need_weights=False)[0]


@case(
    [normal(2, 5, 8), normal(2, 3, 8)],
    [LENGTH, {0: "batch", 1: "memory"}],
    [[normal(1, 1, 8), normal(1, 1, 8)], [normal(3, 7, 8), normal(3, 9, 8)]],
)
class multihead_attention_across(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.MultiheadAttention(8, 2, batch_first=True, add_bias_kv=True, add_zero_attn=True)

    def forward(self, x, memory):
        return self.layer(x, memory, memory, average_attn_weights=False)


@case(
    [normal(2, 5, 8), mask("00000", "00011")],
    [LENGTH, LENGTH],
    [
        [normal(2, 4, 8), mask("0111", "0000")],
        [normal(3, 6, 8), mask("000000", "011111", "000111")],
        [normal(2, 4, 8), mask("0001", "0011")],
    ],
)
class encoder_padded(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)

    def forward(self, x, m):
        return self.encoder(x, src_key_padding_mask=m)


@case(
    [normal(2, 5, 8), mask("00000", "01010")],
    [LENGTH, LENGTH],
    [[normal(2, 4, 8), mask("0101", "0000")], [normal(2, 4, 8), mask("1000", "0000")]],
)
class encoder_padded_on_the_left(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(8))

    def forward(self, x, m):
        return self.encoder(x, src_key_padding_mask=m)


@case([normal(2, 5, 8)], [LENGTH], [[normal(1, 1, 8)], [normal(3, 9, 8)], [normal(0, 5, 8)]])
class encoder_before_norm(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x):
        causal = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.encoder(x), self.encoder(x, mask=causal, is_causal=True)


@case(
    [normal(2, 5, 8), normal(2, 3, 8)],
    [LENGTH, {0: "batch", 1: "target"}],
    [[normal(1, 1, 8), normal(1, 1, 8)], [normal(3, 4, 8), normal(3, 7, 8)]],
)
class whole_transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)

    def forward(self, x, y):
        return self.model(x, y, tgt_mask=nn.Transformer.generate_square_subsequent_mask(y.shape[1]))


@case([normal(2, 5, 2, 8)], [LENGTH], [[normal(1, 1, 2, 8)], [normal(3, 9, 2, 8)]])
class rotary_positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("frequency", 10000 ** (-torch.arange(0, 8, 2) / 8))

    def forward(self, x):
        angle = torch.outer(torch.arange(x.shape[1]).float(), self.frequency)
        angle = angle[None, :, None]
        turn = torch.polar(torch.ones_like(angle), angle)
        z = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(z * turn).flatten(3)


@case(
    [whole(0, 20, 2, 5), mask("11111", "11100").long()],
    [LENGTH, LENGTH],
    [[whole(0, 20, 3, 7), mask("1111111", "1000000", "0000000").long()], [whole(0, 20, 1, 1), mask("1").long()]],
)
class tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.layer, self.tags = (
            nn.Embedding(20, 6),
            nn.LSTM(6, 5, batch_first=True, bidirectional=True),
            nn.Linear(10, 3),
        )

    def forward(self, ids, m):
        out = self.tags(self.layer(self.words(ids))[0])
        pooled = (out * m[..., None]).sum(1) / m.sum(1, keepdim=True)
        return out.argmax(-1), pooled, out.masked_fill(m[..., None] == 0, -torch.inf).softmax(1)


@case([normal(2, 5, 8)], [{0: "batch"}], [[normal(1, 5, 8)], [normal(4, 5, 8)]])
class attention_by_hand(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Linear(8, 24)
        self.position = nn.Parameter(torch.randn(5, 8))

    def forward(self, x):
        q, k, v = self.q(x + self.position).chunk(3, -1)
        score = q @ k.mT / 8**0.5
        return score.masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf).softmax(-1) @ v, torch.baddbmm(
            v @ v.mT, q, k.mT
        )
