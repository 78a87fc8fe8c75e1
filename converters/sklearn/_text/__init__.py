"""Tokenises text in a graph as scikit-learn's vectorizers do."""
