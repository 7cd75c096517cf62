"""Test helpers: katib."""
