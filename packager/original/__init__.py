"""The user's model in a process of its own: taken, checked, started, asked."""
