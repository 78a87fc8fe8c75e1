"""The rules for pickles, shared by the scan, which reads a file, and the worker, which loads it.

Standard library only, Python 3.9 and later: runs in mlpack's own process and in the model's interpreter.
"""
