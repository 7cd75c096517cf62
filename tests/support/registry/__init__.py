"""Test helpers: registry."""
