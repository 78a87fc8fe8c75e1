"""Lock files that the user gives."""
