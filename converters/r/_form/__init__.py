"""The intermediate form of an R model, and the design of a formula as nodes."""
