"""The local engine: runs an Experiment's trials as processes of this machine."""
