"""How often does the gate decide rightly? Populations whose truth is known, and simple rules.

`python -m benchmarks.decisions` runs what is missing, `--table` prints docs/decisions.md.
"""
