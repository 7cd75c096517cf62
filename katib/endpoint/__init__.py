"""Katib's part of the Kubernetes API on this machine, over the folders of local runs.

`tunegate katib` serves it: kubectl and Katib's own clients create, follow and delete Experiments,
which the local engine runs. Its state is the runs' folders and nothing else.
"""
