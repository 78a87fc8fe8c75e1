"""The flow and the command line: a model file and example rows become a verified bundle."""

__version__ = "0.1.0"
