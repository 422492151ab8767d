"""The protocol's names of element types."""

from collections.abc import Mapping

#: To numpy's names. Sizes in bytes are numpy's, too.
DATATYPES: Mapping[str, str] = {
    "BOOL": "bool",
    **{f"UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
}

_NAMES = {name: datatype for datatype, name in DATATYPES.items()}


def datatype_of(dtype: str) -> str:
    """The protocol's name of a dtype that numpy calls `dtype`."""
    return _NAMES[dtype]


def known_datatype(datatype: str) -> str:
    """The same datatype, if it is one of numbers.

    Raises:
        ValueError: it is not, saying what there is.
    """
    if datatype not in DATATYPES:
        raise ValueError(f"models here take numbers, of {', '.join(DATATYPES)}")
    return datatype
