"""Caffe's files: the text that describes a net, the binary that holds its weights, and how the two find each other.

Standard library only: mlpack's own process reads them too, before any process loads the model.
"""
