"""mlpack: a trained model goes in; what comes out computes the same, anywhere, and carries the proof."""

__version__ = "0.1.0"
