"""Base of the objects of a body: reports unknown fields, and only the first error."""

from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

T = TypeVar("T")
#: A list of which only the first invalid item is reported: a body may have a million.
Items = Annotated[list[T], Field(fail_fast=True)]


class Known(BaseModel):
    """An object that rejects unknown fields and lists the known ones.

    Attributes:
        IGNORED: fields that clients send and that are ignored.
        IGNORED_PREFIX: prefix of further ignored fields.
        ELSEWHERE: fields that belong in its `parameters`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    IGNORED: ClassVar[frozenset[str]] = frozenset()
    IGNORED_PREFIX: ClassVar[str | None] = None
    ELSEWHERE: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        for name in value:
            if name not in cls.model_fields and not cls._is_ignored(name):
                raise ValueError(cls._unknown(name))
        return {name: item for name, item in value.items() if name in cls.model_fields}

    @classmethod
    def _is_ignored(cls, name: str) -> bool:
        prefix = cls.IGNORED_PREFIX
        return name in cls.IGNORED or (prefix is not None and name.startswith(prefix))

    @classmethod
    def _unknown(cls, name: str) -> str:
        if name in cls.ELSEWHERE:
            return f"{name!r} belongs in 'parameters'"
        return f"unknown field {name[:40]!r}; the known fields are {list(cls.model_fields)}"
