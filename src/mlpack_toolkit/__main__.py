"""`python -m mlpack_toolkit`: the command `mlpack`."""

from .packager.cli import main

main()
