"""Holds a variant to its parent: by a named metric with a limit on the user's own rows."""
