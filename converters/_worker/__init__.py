"""The process in the model's own interpreter: loads the model, makes and answers probes, converts."""
