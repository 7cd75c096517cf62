"""What is served: the loaded package, the follower of the pointer, shadow mode, metrics."""
