"""What mlpack's speed is measured with; each runs as `python -m benchmarks.NAME [--json]`, see README.md."""
