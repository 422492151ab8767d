"""Reads a model's files: `model.onnx` and the data files it references, and no others.

Rules, since a file may come from any source:
1. only regular files are read: reading a pipe could block forever;
2. sizes are checked before anything is read;
3. a data file is in the folder of `model.onnx` or below, referenced by a relative path
   without `..`, and neither it nor a folder of its path is a symbolic link. `model.onnx`
   may be a link made by the operator; its data files are then searched at its target.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any

import onnx

from service.errors import ArtifactError
from service.graph.misplaced import export_command, file_in, is_keras, lying_in
from service.runtime.memory import mib, require_memory

#: Maximum bytes of a serialized graph, a limit of protobuf.
_MAX_BYTES = (1 << 31) - 1
#: Maximum bytes that reading, planning and verification take per byte of the files: 8 to 13
#: were measured, with 64 and 400 MiB of weights before or after the dropout.
LOAD_FACTOR = 12
_NUMBER = re.compile("[0-9]{1,18}")


def read_model_file(path: Path, max_bytes: int | None) -> tuple[bytes, onnx.ModelProto]:
    """The content of a file with its data files put in, and the same parsed.

    Args:
        path: of `model.onnx`.
        max_bytes: maximum size including its data files; None: limited by memory.

    Raises:
        ArtifactError: it breaks a rule, is too large, or is not an ONNX file.
        ModelError: there is not enough memory to load it.
    """
    content = _read(path, max_bytes)
    if is_keras(content):
        raise ArtifactError(
            f"{path} is a Keras model, not an ONNX file. Export it: {export_command(path)}"
        )
    try:
        proto = onnx.load_model_from_string(content)
        external = list(_external(proto))
    except Exception as error:  # protobuf raises its own
        raise no_onnx_file(path, len(content), error) from error
    if not external:
        return content, proto
    folder = path.resolve().parent
    sizes = {place: _data_size(path, folder, place) for place in set(map(_location, external))}
    # Tensors may share a part of a file, and each takes memory.
    taken = sum(_length(tensor, sizes[_location(tensor)]) for tensor in external)
    _require_size(path, len(content) + max(taken, sum(sizes.values())), max_bytes)
    try:
        onnx.load_external_data_for_model(proto, str(folder))
        left = next(_external(proto), None)
        if left is not None:
            raise ValueError(f"tensor {left.name!r} cannot lie in a data file")
        return proto.SerializeToString(), proto
    except Exception as error:  # onnx raises its own
        raise no_onnx_file(path, len(content), error) from error


def data_files(model: onnx.ModelProto) -> set[str]:
    """Paths of a model's data files, relative to its folder, if its weights are not read."""
    return set(map(_location, _external(model)))


def no_onnx_file(path: Path, size: int, error: Exception) -> ArtifactError:
    """The error for content that cannot be understood."""
    lines = str(error).strip().splitlines()
    said = (lines[0] if lines else type(error).__name__).rstrip(".")
    return ArtifactError(
        f"{path} ({size} bytes) is not a whole ONNX file, perhaps because a copy was interrupted: "
        f"{said}. Copy "
        "or export it again."
    )


def _read(path: Path, max_bytes: int | None) -> bytes:
    try:
        with opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            _require_size(path, size, max_bytes)
            return file.read(size)
    except OSError as error:
        hint = ""
        if isinstance(error, FileNotFoundError):
            hint = lying_in(path.parent, path.parent)
        elif isinstance(error, IsADirectoryError):
            hint = f" Give a file, such as {file_in(path)}."
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.{hint}") from error


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A regular file, open for reading. It is not waited for a writer, if it is a pipe.

    Raises:
        OSError: it cannot be opened.
        ArtifactError: it breaks rule 1.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ArtifactError(f"{path} is not a regular file. Put the file itself there.")
        yield file


def _require_size(path: Path, size: int, max_bytes: int | None) -> None:
    if max_bytes is not None and size > max_bytes:
        raise ArtifactError(
            f"{path} is of {mib(size)} MiB, its data files included, and {max_bytes >> 20} MiB are "
            "allowed. The setting MCDROPOUT_MAX_MODEL_MB allows more."
        )
    if size > _MAX_BYTES:
        raise ArtifactError(
            f"{path} is of {mib(size)} MiB, its data files included; {mib(_MAX_BYTES)} MiB are the "
            f"maximum for an ONNX graph. Export a smaller model, for example in float16."
        )
    require_memory(LOAD_FACTOR * size, str(path), f"it is of {mib(size)} MiB")


def _data_size(path: Path, folder: Path, location: str) -> int:
    """The size of a data file.

    Raises:
        ArtifactError: it breaks rule 1 or 3.
    """
    place, found = PurePosixPath(location), folder / location
    if not place.parts or place.is_absolute() or ".." in place.parts or "\0" in location:
        raise ArtifactError(
            f"{path} has its weights in {location!r}, and only files in its own folder are read. "
            "Put them there, and export the model again."
        )
    if os.path.realpath(found) != str(found):
        raise ArtifactError(
            f"{path} has its weights in {location!r}, which is a link. Put the file itself there."
        )
    try:
        status = found.lstat()
    except OSError as error:
        raise ArtifactError(
            f"{path} has its weights in {location!r}, which cannot be read: {error.strerror}. Put "
            "the file there, too."
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise ArtifactError(f"{path} has its weights in {location!r}, which is not a regular file.")
    return status.st_size


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _location(tensor: onnx.TensorProto) -> str:
    return _entries(tensor).get("location", "")


def _length(tensor: onnx.TensorProto, size: int) -> int:
    """How many bytes of a file of `size` a tensor takes; more than there are, onnx refuses."""
    given = _entries(tensor)
    length, offset = given.get("length", ""), given.get("offset", "")
    if _NUMBER.fullmatch(length):
        return int(length)
    return max(0, size - int(offset)) if _NUMBER.fullmatch(offset) else size


def _external(message: Any) -> Iterator[onnx.TensorProto]:
    """Every tensor of a protobuf message that lies in a data file, wherever it is."""
    if isinstance(message, onnx.TensorProto):
        if message.data_location == onnx.TensorProto.EXTERNAL:
            yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _external(part)
