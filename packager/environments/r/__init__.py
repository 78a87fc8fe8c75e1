"""R libraries: captured, locked, rebuilt."""
