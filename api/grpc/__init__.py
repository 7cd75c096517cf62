"""The Open Inference Protocol over gRPC: nothing else here imports grpcio or protobuf, which are an extra."""
