"""Conda environments: captured, locked, rebuilt."""
