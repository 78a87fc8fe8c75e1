"""Tree ensembles of every framework: flat arrays, and the nodes that sum their leaves."""
