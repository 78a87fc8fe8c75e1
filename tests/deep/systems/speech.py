"""Speech in the manner of Tacotron 2: an encoder of letters, one step of the decoder, and a vocoder.

The host calls the encoder once, the step until it says stop, and the vocoder on all frames.
"""

from __future__ import annotations

import torch
from system import System, normal, whole
from torch import nn

LETTERS, WIDTH, MELS, FILTERS, ATTENTION, CELLS = 60, 128, 80, 32, 64, 256


class Encoder(nn.Module):
    """Embeddings, three convolutions, a bidirectional LSTM; and the keys of the attention."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Embedding(LETTERS, WIDTH)
        layers = ((nn.Conv1d(WIDTH, WIDTH, 5, padding=2), nn.BatchNorm1d(WIDTH), nn.ReLU()) for _ in range(3))
        self.convolutions = nn.Sequential(*(part for layer in layers for part in layer))
        self.states = nn.LSTM(WIDTH, WIDTH // 2, batch_first=True, bidirectional=True)
        self.keys = nn.Linear(WIDTH, ATTENTION, bias=False)

    def forward(self, text: torch.Tensor) -> dict[str, torch.Tensor]:
        found = self.convolutions(self.letters(text).transpose(1, 2)).transpose(1, 2)
        memory, _ = self.states(found)
        return {"memory": memory, "keys": self.keys(memory)}


class Step(nn.Module):
    """One frame: pre-net, attention LSTM, location-sensitive attention, decoder LSTM, mel and stop.

    `state`: hidden and cell of both LSTMs; `weights`: the last attention and the sum of all; `context`: what was read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pre = nn.Sequential(nn.Linear(MELS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
        self.attending = nn.LSTMCell(2 * WIDTH, CELLS)
        self.query = nn.Linear(CELLS, ATTENTION, bias=False)
        self.places = nn.Conv1d(2, FILTERS, 31, padding=15, bias=False)
        self.of_places, self.score = nn.Linear(FILTERS, ATTENTION, bias=False), nn.Linear(ATTENTION, 1)
        self.decoding = nn.LSTMCell(CELLS + WIDTH, CELLS)
        self.mel, self.stop = nn.Linear(CELLS + WIDTH, MELS), nn.Linear(CELLS + WIDTH, 1)

    def forward(
        self,
        frame: torch.Tensor,
        memory: torch.Tensor,
        keys: torch.Tensor,
        weights: torch.Tensor,
        context: torch.Tensor,
        state: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
    ) -> dict[str, torch.Tensor | tuple[torch.Tensor, ...]]:
        attending = self.attending(torch.cat([self.pre(frame), context], -1), state[:2])
        places = self.of_places(self.places(weights).transpose(1, 2))
        scores = self.score(torch.tanh(self.query(attending[0])[:, None] + places + keys))[..., 0]
        now = scores.softmax(-1)
        context = (now[:, None] @ memory)[:, 0]
        decoding = self.decoding(torch.cat([attending[0], context], -1), state[2:])
        found = torch.cat([decoding[0], context], -1)
        weights = torch.stack([now, weights[:, 1] + now], 1)
        answer = {"mel": self.mel(found), "stop": self.stop(found).sigmoid(), "weights": weights, "context": context}
        return {**answer, "state": (*attending, *decoding)}


class Residual(nn.Module):
    """Dilated convolutions, each added to what it was given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, padding=d, dilation=d) for d in (1, 3, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = x + layer(nn.functional.leaky_relu(x, 0.1))
        return x


class Vocoder(nn.Module):
    """Frames to sound: transposed convolutions with residual blocks between them, 64 samples a frame."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.first = nn.Conv1d(MELS, width, 7, padding=3)
        parts: list[nn.Module] = []
        for place, step in enumerate((8, 4, 2)):
            inside, outside = width >> place, width >> (place + 1)
            up = nn.ConvTranspose1d(inside, outside, 2 * step, step, padding=step // 2)
            parts += [nn.LeakyReLU(0.1), up, Residual(outside)]
        self.up = nn.Sequential(*parts)
        self.last = nn.Conv1d(width >> 3, 1, 7, padding=3)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.last(nn.functional.leaky_relu(self.up(self.first(mel)))))[:, 0]


def silence(letters: int) -> dict[str, object]:
    """What the first step is given: nothing said, nothing read."""
    state = tuple(torch.zeros(1, CELLS) for _ in range(4))
    return {"weights": torch.zeros(1, 2, letters), "context": torch.zeros(1, WIDTH), "state": state}


def encoder() -> nn.Module:
    torch.manual_seed(0)
    return Encoder().eval()


def step() -> nn.Module:
    torch.manual_seed(0)
    return Step().eval()


def vocoder() -> nn.Module:
    torch.manual_seed(0)
    return Vocoder().eval()


def text(rows: int) -> dict[str, object]:
    return {"text": whole(5, LETTERS, rows, 11)}


def before(rows: int) -> dict[str, object]:
    """What a step is given in the middle of a sentence of 11 letters."""
    weights = abs(normal(6, rows, 2, 11))
    found = {
        "frame": normal(7, rows, MELS),
        "memory": normal(8, rows, 11, WIDTH),
        "keys": normal(9, rows, 11, ATTENTION),
    }
    state = {f"state.{i}": normal(10 + i, rows, CELLS) / 4 for i in range(4)}
    return {**found, "weights": weights / weights.sum(-1, keepdims=True), "context": normal(6, rows, WIDTH), **state}


def frames(rows: int) -> dict[str, object]:
    return {"mel": normal(5, rows, MELS, 9)}


STEP = "memory.1:length,keys.1:length,weights.2:length"
BATCH = "".join(f",{name}.0:batch" for name in ("frame", "memory", "keys", "weights", "context"))
STATE = "".join(f",state.{i}.0:batch" for i in range(4))
SYSTEMS = (
    System("Tacotron-2-like encoder", encoder, text, "text.0:batch,text.1:length[1..]"),
    System("Tacotron-2-like decoder step", step, before, STEP + BATCH + STATE),
    System("Vocoder (HiFi-GAN-like)", vocoder, frames, "mel.0:batch,mel.2:frames[1..]"),
)
