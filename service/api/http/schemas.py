"""Responses of every route."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """Whether the server can take traffic."""

    status: Literal["live", "ready"]


class Error(BaseModel):
    """An error."""

    error: str = Field(description="what is wrong, where, and what would be right")


#: OpenAPI descriptions of the errors of every route.
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "the request is wrong"},
    404: {"model": Error, "description": "no such model or version"},
    503: {"model": Error, "description": "the model is not ready"},
    # With a declared default, FastAPI does not add a 422 that is never sent.
    "default": {"model": Error, "description": "any other failure"},
}
