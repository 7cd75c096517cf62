"""What Python and kernel.c agree on: structures, functions, and how trees lie in memory."""
