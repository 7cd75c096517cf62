"""Our sampler as a Suggestion service of Katib: `python -m katib.suggestion`.

Nothing else of the room imports grpcio or protobuf, and only `katib.earlystopping` imports this
package.
"""
