"""The samplers, and what they make of a search space. Knows no lint, no engine and no cluster."""
