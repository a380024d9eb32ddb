"""The append-only file: what is in it, whether it is whole, and what is cut off its end."""
