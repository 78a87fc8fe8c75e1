"""Captures, locks and rebuilds R libraries."""
