"""What a Python program calls: builds a model that it holds, and loads bundles. See `docs/python.md`."""
