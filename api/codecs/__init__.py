"""Bytes to rows and back: JSON bodies, tensors, and the model's own columns. Knows no routes."""
