"""Rows as bytes: NumPy's .npy and .npz, and raw memory. No claimed size is ever allocated."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError
from service.manifest import InputSpec

Array = NDArray[Any]

NPY, NPZ, RAW = "application/x-npy", "application/x-npz", "application/octet-stream"
#: What a body may be beside JSON.
BINARY = (NPY, NPZ, RAW)


def read_binary(kind: str, content: bytes, specs: Sequence[InputSpec]) -> Any:
    """Rows out of a body.

    Args:
        kind: of `BINARY`. RAW is the memory of the only input's rows, little-endian and
            row-major, in the input's dtype.
        content: the body.
        specs: the model's inputs.

    Returns:
        An array, or of NPZ {input name: array}; views of `content`.

    Raises:
        InputError: it is not what `kind` says.
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
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = {}
            for member in archive.infolist():
                # A compressed one may grow a thousandfold.
                if member.compress_type != zipfile.ZIP_STORED:
                    raise InputError(
                        f"the body's array {member.filename!r} is compressed; write it with "
                        "numpy.savez."
                    )
                name = member.filename.removesuffix(".npy")
                found[name] = _read_npy(archive.read(member), f"the body's array {name!r}")
            return found
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InputError(
            f"the body is not an .npz file ({error}). Write it with numpy.savez."
        ) from error


def _read_npy(content: bytes, what: str) -> Array:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read(file)
    except Exception as error:  # NumPy's parser of what may be anything has no common base
        raise InputError(
            f"{what} is not an .npy file. Write it with numpy.save(file, array)."
        ) from error
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None:
        raise InputError(f"{what} holds {dtype}; send numbers.")
    flat = _whole(content[file.tell() :], dtype, shape, what)
    return flat.reshape(shape, order="F" if fortran else "C")


def _read_raw(content: bytes, spec: InputSpec) -> Array:
    dtype, row = np.dtype(spec.dtype).newbyteorder("<"), spec.shape[1:]
    if None in row:
        raise InputError(
            f"the model's rows have no fixed shape, {list(spec.shape)}, so that raw bytes do not "
            f"tell how many there are: send {NPY}."
        )
    size = dtype.itemsize * int(np.prod([n or 1 for n in row]))
    if len(content) % size or not content:
        raise InputError(
            f"the body has {len(content)} bytes; a row of {spec.dtype} of shape "
            f"{list(row)} has {size}, and whole rows are needed."
        )
    return np.frombuffer(content, dtype).reshape(-1, *[n or 1 for n in row])


def _whole(content: bytes, dtype: Any, shape: tuple[int, ...], what: str) -> Array:
    count = 1
    for size in shape:
        count *= size
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(content):
        raise InputError(
            f"{what} has {len(content)} bytes of numbers; shape {list(shape)} of {dtype} takes "
            f"{count * dtype.itemsize}."
        )
    return np.frombuffer(content, dtype)
