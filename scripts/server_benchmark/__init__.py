"""Compare the server with a plain FastAPI app: its overhead, and throughput for many clients."""
