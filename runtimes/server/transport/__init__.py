"""Connections, workers, signals, metrics and gRPC."""
