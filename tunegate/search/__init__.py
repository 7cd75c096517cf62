"""Searches, on this machine and on Katib."""
