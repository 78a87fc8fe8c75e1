"""Opens a graph on a provider, binds columns and tensors, runs it."""
