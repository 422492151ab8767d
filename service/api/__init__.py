"""HTTP: routes, wire schemas, and the table of errors."""
