"""What requests and responses say: the Open Inference Protocol, rows, csv, platforms, OpenAPI."""
