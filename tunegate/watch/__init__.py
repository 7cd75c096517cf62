"""What `tunegate watch` shows."""
