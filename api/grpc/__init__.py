"""The Open Inference Protocol over gRPC.

Nothing else in `api` imports grpcio or protobuf, which the extra `grpc` installs.
"""
