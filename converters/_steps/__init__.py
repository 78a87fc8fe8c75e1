"""Steps: how one fitted object becomes nodes, where its definition is found, and how a whole graph is assembled."""
