"""How good are samplers? Searches on exact lookup tables of forests, by ours and by others."""
