"""Distances, nearest neighbours, and how rounding decides among them."""
