"""The command line and its settings: the only room that knows all the others."""
