"""The Python API: what `import tunegate` gives, and what the command line calls."""
