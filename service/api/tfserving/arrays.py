"""Rows as bytes: NumPy's .npy and .npz, and raw memory. Declared sizes are not allocated."""

import io
import sys
import zipfile
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError, shortened
from service.inference.texts import require_few
from service.manifest import InputSpec
from service.protocol.datatypes import BY_DTYPE, Datatype
from service.protocol.tensors import TensorError, decode

Array = NDArray[Any]

NPY, NPZ, RAW = "application/x-npy", "application/x-npz", "application/octet-stream"
#: Content types of bodies other than JSON.
BINARY = (NPY, NPZ, RAW)
#: Limits of NumPy's arrays: axes, and elements (also with an empty axis).
_AXES, _ELEMENTS = 32, 1 << 47


def read_binary(kind: str, content: bytes, specs: Sequence[InputSpec]) -> Any:
    """Read rows from a body.

    Args:
        kind: of `BINARY`. RAW is the memory of the only input's rows, little-endian and
            row-major, in the input's dtype.
        content: the body.
        specs: the model's inputs.

    Returns:
        An array, or of NPZ {input name: array}; views of `content`.

    Raises:
        InputError: it is not valid for `kind`.
    """
    if kind == NPZ:
        return _read_npz(content)
    if len(specs) > 1:
        raise InputError(
            f"the model has several inputs, {[spec.name for spec in specs]}, and {kind} holds one "
            f"array: send {NPZ} with one array for each."
        )
    return _read_npy(content, "the body") if kind == NPY else _read_raw(content, specs[0])


def write_npz(arrays: Mapping[str, Array]) -> bytes:
    """Arrays by name as one .npz file, not compressed."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _read_npz(content: bytes) -> dict[str, Array]:
    try:
        members = _members(content)
    except InputError:
        raise
    except Exception as error:  # zipfile raises exceptions without a common base
        raise InputError(
            f"the body is not an .npz file ({shortened(error, 80)}). Write it with numpy.savez."
        ) from error
    return {
        name: _read_npy(member, f"the body's array {shortened(name)!r}")
        for name, member in members.items()
    }


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = archive.infolist()
        for member in found:
            # Decompression may grow an array a thousandfold.
            if member.compress_type != zipfile.ZIP_STORED:
                raise InputError(
                    f"the body's array {shortened(member.filename)!r} is compressed; write it with "
                    "numpy.savez."
                )
        # Many entries may refer to the same place.
        if sum(member.file_size for member in found) > len(content):
            raise ValueError("its arrays overlap")
        return {member.filename.removesuffix(".npy"): archive.read(member) for member in found}


def _read_npy(content: bytes, what: str) -> Array:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read(file)
        _require_shape(shape)
    except Exception as error:  # NumPy raises exceptions without a common base
        raise InputError(
            f"{what} is not an .npy file. Write it with numpy.save(file, array)."
        ) from error
    order: Literal["F", "C"] = "F" if fortran else "C"
    if dtype.kind in "US" and dtype.itemsize:
        return _strings(content[file.tell() :], dtype, shape, what).reshape(shape, order=order)
    if dtype.name not in BY_DTYPE:
        raise InputError(f"{what} holds {shortened(dtype)}; send numbers, or strings.")
    array = _decode(content[file.tell() :], BY_DTYPE[dtype.name], shape, what)
    # The file determines the order of bytes and of axes.
    return array.reshape(-1).view(dtype).reshape(shape, order=order)


def _strings(content: bytes, dtype: "np.dtype[Any]", shape: tuple[int, ...], what: str) -> Array:
    """(N,) array of NumPy's strings of one width."""
    wanted = prod(shape) * dtype.itemsize
    if len(content) != wanted:
        raise InputError(
            f"{what} has {len(content)} bytes of strings; shape {list(shape)} of {dtype.str} takes "
            f"{wanted}."
        )
    require_few(prod(shape), len(content), what)
    if dtype.kind == "U":
        _require_letters(content, dtype, shape, what)
    return np.frombuffer(content, dtype)


def _require_letters(
    content: bytes, dtype: "np.dtype[Any]", shape: tuple[int, ...], what: str
) -> None:
    """Check the code points, since Python's own error has no useful text."""
    letters = np.frombuffer(content, np.dtype(np.uint32).newbyteorder(dtype.byteorder))
    wrong = np.flatnonzero(letters > sys.maxunicode)
    if len(wrong):
        index, number = int(wrong[0]) * 4 // dtype.itemsize, int(letters[wrong[0]])
        raise InputError(f"{what}[{index}] has the code point {number}, which is not in Unicode.")


def _require_shape(shape: tuple[int, ...]) -> None:
    """Check the shape; NumPy's header may contain True, or more than an array can have."""
    sizes = all(type(size) is int and size >= 0 for size in shape)
    if not sizes or len(shape) > _AXES or prod(size or 1 for size in shape) >= _ELEMENTS:
        raise ValueError(shape)


def _read_raw(content: bytes, spec: InputSpec) -> Array:
    datatype, row = BY_DTYPE[spec.dtype], spec.shape[1:]
    if datatype.size is None:
        raise InputError(
            f"the model expects strings, and raw bytes do not mark where each one ends: send "
            f"{NPY}, or "
            "JSON."
        )
    if None in row:
        raise InputError(
            f"the model's rows have no fixed shape, {list(spec.shape)}, so raw bytes do not give "
            f"the number of rows: send {NPY}."
        )
    size = datatype.size * prod(n or 1 for n in row)
    if len(content) % size or not content:
        raise InputError(
            f"the body has {len(content)} bytes; a row of {spec.dtype} of shape "
            f"{list(row)} has {size}, and whole rows are required."
        )
    shape = (len(content) // size, *(n or 1 for n in row))
    return _decode(content, datatype, shape, "the body")


def _decode(content: bytes, datatype: Datatype, shape: tuple[int, ...], what: str) -> Array:
    try:
        return decode(content, datatype, shape)
    except TensorError as error:
        place = what if error.index is None else f"{what}[{error.index}]"
        raise InputError(f"{place} {error}") from error
