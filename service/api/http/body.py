"""Request bodies: reading with a limit, parsing, and their OpenAPI description."""

import gc
import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.api.http.app_state import context_of, state_of
from service.api.http.few_values import require_few_values
from service.errors import CancelledError, InputError, shown
from service.inference.predictor import Predictor
from service.serving.offload import INLINE

M = TypeVar("M", bound=BaseModel)

#: Content types accepted for JSON. `curl -d` declares a form, and many clients no type.
_JSON = re.compile(r"|(application|text)/json|application/x-www-form-urlencoded|[^/]+/[^/]+\+json")


def content_type(request: Request, also: Collection[str] = ()) -> str:
    """The content type of a body, in lower case and without parameters.

    Args:
        request: of any route that has a body.
        also: content types that the route accepts in addition to JSON.

    Raises:
        HTTPException: 415, it is neither JSON nor in `also`.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in also and not _JSON.fullmatch(kind):
        taken = " or ".join(["application/json", *also])
        raise HTTPException(415, f"Content-Type is {kind[:40]!r}; send {taken}.")
    return kind


async def read_body(request: Request, also: Collection[str] = ()) -> bytes:
    """The whole body, of at most `AppState.max_body` bytes; the request's time begins at its end.

    Memory is allocated only for bytes that have arrived, not for the declared size.

    Args:
        request: whose body it is.
        also: see `content_type`.

    Raises:
        HTTPException: 413, it is longer; 415, it is compressed, or of an unsupported type.
        TooLargeError, QueueFullError: there is no room for it, ever or now.
        CancelledError: the client disconnected before the end of the body.
    """
    content_type(request, also)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        text = f"Content-Encoding is {encoding[:40]!r}; send the body without compression."
        raise HTTPException(415, text)
    shared, context = state_of(request), context_of(request)
    limit = shared.max_body
    claimed = request.headers.get("Content-Length", "")
    # int() rejects thousands of digits, which are too large anyway.
    if claimed.isascii() and claimed.isdigit() and (len(claimed) > 18 or int(claimed) > limit):
        raise _too_large(limit)
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            shared.plane.memory.hold(context, len(chunk))
            chunks.append(chunk)
    except ClientDisconnect as error:
        raise CancelledError("the client disconnected before it had sent its request.") from error
    context.begin(shared.plane.timeout)
    return b"".join(chunks)


def _too_large(limit: int) -> HTTPException:
    return HTTPException(
        413, f"the body is too large; this server allows at most {limit} bytes. Send fewer rows."
    )


def parse_json(
    model: type[M], content: bytes, example: str, predictor: Predictor | None = None
) -> M:
    """Read a JSON body.

    Args:
        model: schema of the body.
        content: its bytes.
        example: of a valid body, for messages.
        predictor: whose rows are in it; None: it has no rows.

    Raises:
        InputError: with the first invalid place, and what would be right.
    """
    try:
        return model.model_validate(_loads(content, example, predictor))
    except ValidationError as error:
        text = invalid(error, example)
    raise InputError(text)  # here, because the error above refers to the whole body


def _loads(content: bytes, example: str, predictor: Predictor | None) -> Any:
    """Parse JSON directly to Python values, without an intermediate form.

    A number takes at most 12 times the memory of its text, and a string less. A list takes 96
    bytes and an object 208, with a text of only two bytes, so they are counted before parsing.
    """
    large = len(content) > INLINE
    if large:
        require_few_values(content, predictor)
        gc.disable()  # the collector would traverse all values again and again; one parse at a time
    try:
        # Cached strings would outlive the request, and keep the memory blocks around them.
        return from_json(content, cache_strings="none")
    except ValueError as error:
        text = str(error)
    finally:
        if large:
            gc.enable()
    if text.startswith("EOF"):
        raise InputError(f"the body is empty, or its JSON is incomplete. Send {example}.")
    raise InputError(f"the body is not valid JSON: {text}. Send {example}.")


def invalid(error: ValidationError, example: str, root: str = "the body") -> str:
    """The first error of pydantic, as a sentence.

    Args:
        error: of pydantic.
        example: of a valid body.
        root: name of the whole body.
    """
    first = error.errors(include_url=False)[0]
    place = _place(first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in _WORDS:
        message = _WORDS[first["type"]].format_map(first.get("ctx", {}))
    if first["type"] == "missing":
        return f"{place} is missing. Send {example}."
    if first["type"] == "value_error" and isinstance(first["input"], dict):
        return f"{place or root}: {message}."
    if not place:
        return f"{root} is wrong: {message}. Send {example}."
    return f"{place} is {shown(first['input'])}: {message}."


#: Replaces pydantic's texts that use Python's terms or mention its "validation".
_WORDS = {
    "model_type": "Input should be an object",
    "list_type": "Input should be a valid array",
    "too_short": "it takes {min_length} or more items, and has {actual_length}",
    "too_long": "it takes up to {max_length} items, and has {actual_length}",
}


def _place(loc: tuple[int | str, ...]) -> str:
    """A place in a body: ("inputs", 0, "name") is inputs[0].name."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return "".join(parts).removeprefix(".")


def describe_body(
    model: type[BaseModel],
    *,
    required: bool = True,
    examples: Mapping[str, Any] | None = None,
    also: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`openapi_extra` for a route that reads its body itself.

    Args:
        model: of the JSON body.
        required: whether a body is required.
        examples: of the JSON body, in the form of OpenAPI.
        also: further content types and their schemas.
    """
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    # References would point to the document's definitions, which do not contain these.
    described = {"schema": _inlined(schema, definitions)}
    if examples:
        described["examples"] = examples
    content = {"application/json": described, **(also or {})}
    return {"requestBody": {"required": required, "content": content}}


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {key: _inlined(item, definitions) for key, item in schema.items()}
