"""Plain ASGI around the application: the fast path, request log, API key, draining, tracing."""
