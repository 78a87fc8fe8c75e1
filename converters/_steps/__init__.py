"""Conversion steps: converts fitted objects to nodes, looks up their converters, and assembles the whole graph."""
