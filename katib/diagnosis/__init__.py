"""Why an Experiment has no result, on a cluster or on this machine."""
