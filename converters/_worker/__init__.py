"""The process in the model's own interpreter: loads the model, makes probes, answers them, converts."""
