"""Our server beside its peers: one forest, each server as its users start it, one interleaved run.

`python -m benchmarks.serving` prints the tables; the modules are `servers` (the table of them),
`model`, `bodies`, `processes` (start, measure, stop), `wrk`, and one module a measurement.
"""
