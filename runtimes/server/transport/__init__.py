"""How bytes travel: connections, workers, signals, metrics, gRPC."""
