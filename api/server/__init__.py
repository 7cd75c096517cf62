"""The process: uvicorn, its workers and signals."""
