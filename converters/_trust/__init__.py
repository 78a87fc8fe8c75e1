"""What loading a pickle may do: one set of rules, which the scan reads a file by and the worker loads it by.

Standard library only, Python 3.9 and later: it stands in mlpack's own process and in the model's interpreter.
"""
