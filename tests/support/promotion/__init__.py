"""Test helpers: promotion."""
