"""Latency as users see it: limits by provider, the curve of throughput against it, the machine's state meanwhile."""
