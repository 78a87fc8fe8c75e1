"""Reads and writes requests and responses: the Open Inference Protocol, rows, csv, platforms, OpenAPI."""
