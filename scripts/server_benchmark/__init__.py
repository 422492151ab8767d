"""What the server costs, and what it does for many clients, against a plain FastAPI app."""
