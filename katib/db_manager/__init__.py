"""Katib's DBManager on this machine: trials push metrics to it, and Katib's client reads them.

Its database is the trials' folders. Trials find it by an environment variable, and Katib's own
`report_metrics` by a module that their Python runs at its start.
"""
