"""Kubernetes' own rules for a trial's Job, which nobody checks before Trials are made.

Katib's webhook compares only the fields' names and types. The API server refuses each Job, or the
kubelet each pod, and the Experiment stays Running without a message.
Source: Kubernetes v1.34, pkg/apis/core/validation, pkg/apis/batch/validation.
"""
