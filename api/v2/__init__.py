"""The Open Inference Protocol (V2) over REST: routes, the quick way for one row, the strict way, binary tensors."""
