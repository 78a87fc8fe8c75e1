"""Iterative solvers that run for each row in a graph."""
