"""Kubeflow Pipelines of the same parts: each component is thin over a function or a command.

`kfp` lives in an environment of its own (`scripts/peers kfp`); no room imports this folder.
"""
