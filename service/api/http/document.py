"""What the API's document says of all routes, beyond what each route says of itself."""

from typing import Any

from fastapi import FastAPI

from service.api.http.keys import is_open

#: The ways to send an API key.
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer <key>"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_UNAUTHORIZED = {
    "description": "no valid API key",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


def describe_keys(app: FastAPI) -> None:
    """Say in the document which paths require an API key, and how it is sent."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _add_keys(make())
        return make()

    app.openapi = openapi  # type: ignore[method-assign]


def _add_keys(document: dict[str, Any]) -> None:
    document["components"]["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if not is_open(path):
                operation["security"] = [{name: []} for name in _SCHEMES]
                operation["responses"]["401"] = _UNAUTHORIZED
