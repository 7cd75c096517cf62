"""Test helpers: serving."""
