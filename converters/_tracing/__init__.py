"""Traces a user's numpy and pandas code by running it once on symbolic arrays, series and frames."""
