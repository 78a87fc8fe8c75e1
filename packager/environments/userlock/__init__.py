"""Reads and compares lock files of the user's own (`--lock`)."""
