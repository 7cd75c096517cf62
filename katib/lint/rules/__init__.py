"""The rules of lint, one module a part of the Experiment."""
