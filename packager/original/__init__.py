"""The user's model in a process of its own: copied, checked, started, queried."""
