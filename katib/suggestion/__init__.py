"""Our sampler as a Suggestion service of Katib: `python -m katib.suggestion`.

Nothing outside this package imports grpcio or protobuf, and nothing else of the room imports this package.
"""
