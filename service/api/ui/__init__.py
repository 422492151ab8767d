"""The web page at the root of the server: static files, which use the routes under /v1."""
