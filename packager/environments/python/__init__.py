"""Captures, locks and rebuilds Python environments."""
