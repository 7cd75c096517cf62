"""How good are samplers? Searches on exact lookup tables of forests, ours beside those of others."""
