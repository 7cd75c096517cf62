"""What `tunegate doctor` looks at on this machine."""
