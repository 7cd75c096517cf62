"""Shell scripts: what a shell would run, without running it."""
