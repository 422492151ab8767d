"""How a command names the Keras model that it exports: by a file, or a function."""

from pathlib import Path

from service.errors import ExportError

FILE_SUFFIXES = (".keras", ".h5")


def require_reference(reference: str) -> None:
    """Check that a reference names a file that is there, or a function.

    Args:
        reference: see `models.export.source.load_keras`.

    Raises:
        ExportError: it does not.
    """
    path = Path(reference)
    if path.is_dir():
        raise ExportError(_saved_model_reason(path))
    if path.suffix in FILE_SUFFIXES:
        if not path.is_file():
            raise ExportError(f"there is no file {reference!r}.")
    elif ":" not in reference:
        raise ExportError(
            f"{reference!r} is not a model: give a {' or '.join(FILE_SUFFIXES)} file, "
            "or package.module:function that returns a Keras model."
        )


def _saved_model_reason(path: Path) -> str:
    if not (path / "saved_model.pb").is_file():
        return f"{str(path)!r} is a folder, not a model: give a .keras or .h5 file."
    if (path / "keras_metadata.pb").is_file():
        return (
            f"{str(path)!r} is a SavedModel of Keras 2, which Keras 3 cannot load. Turn it into an "
            f'.h5 file with: make keras2 ARGS="{path} {path.name}.h5"'
        )
    return (
        f"{str(path)!r} is an exported SavedModel. It contains only the inference graph, without "
        "random operations, so there is no dropout to export. Export the .keras file that it was "
        "made from."
    )
