"""The client of Katib on a Kubernetes cluster. Only `client` imports `kubernetes`."""
