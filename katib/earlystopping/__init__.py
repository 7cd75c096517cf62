"""Our early stopping as a service of Katib: `python -m katib.earlystopping`.

It shares gRPC, messages and the reading of requests with `katib.suggestion`, whose image it is in too.
"""
