"""Says a text with the three modules of `systems/speech.py` in torch itself: `python speak.py OUT.npz FRAMES`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent / "systems"))
import speech


def main() -> None:
    """Writes the text, the frames and the sound."""
    out, most = sys.argv[1], int(sys.argv[2])
    encoder, step, vocoder = speech.encoder(), speech.step(), speech.vocoder()
    text = torch.from_numpy(speech.text(1)["text"])
    frames = []
    with torch.no_grad():
        read = encoder(text)
        said = {"mel": torch.zeros(1, speech.MELS), **speech.silence(text.shape[1])}
        for _ in range(most):
            given = (read["memory"], read["keys"], said["weights"], said["context"], said["state"])
            said = step(said["mel"], *given)
            frames.append(said["mel"])
        sound = vocoder(torch.stack(frames, -1))
    np.savez(out, text=text.numpy(), frames=torch.stack(frames, -1).numpy(), sound=sound.numpy())


if __name__ == "__main__":
    main()
