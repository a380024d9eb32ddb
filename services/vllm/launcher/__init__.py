"""Starts vLLM from a few settings and keeps it of use: `python -m launcher` in the model server's container."""
