"""Types of arrays in the API's document: a value, or nested lists of them."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypeAliasType

Numbers = TypeAliasType("Numbers", "float | list[Numbers]")
Integers = TypeAliasType("Integers", "int | list[Integers]")
Flags = TypeAliasType("Flags", "bool | list[Flags]")
Texts = TypeAliasType("Texts", "str | list[Texts]")
#: Sets of classes: a bool for each class, or the labels or indices of those in the set.
Members = TypeAliasType("Members", "bool | str | int | list[Members]")

#: By the type of a measure.
BY_DTYPE: Mapping[str, Any] = {
    "float64": Numbers,
    "int64": Integers,
    "bool": Flags,
    "string": Texts,
}
