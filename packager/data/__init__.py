"""Rows from files: tables, Arrow, R's frames, JSON."""
