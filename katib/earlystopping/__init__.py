"""Our early stopping as a service of Katib: `python -m katib.earlystopping`.

It shares gRPC, messages, the reading of requests and the image with `katib.suggestion`.
"""
