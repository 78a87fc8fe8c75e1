"""Python environments: captured, locked, rebuilt."""
