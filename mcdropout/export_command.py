"""`mcdropout export`: a Keras model becomes an ONNX file whose dropout is active."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcdropout import require_own
from service.annotations import Annotations
from service.cli.annotation_flags import TrainingData, TrainingTargets, with_annotations
from service.errors import ExportError, InputError, MCDropoutError
from service.extras import needs
from service.keras_reference import require_reference
from service.manifest import Checks, Manifest
from service.repository.scan import MODEL_FILE, is_version

ModelArgument = Annotated[
    str, typer.Argument(help="A .keras or .h5 file, or package.module:function.")
]
Output = Annotated[
    Path, typer.Option(help=f"Folder to write {MODEL_FILE} into: <store>/<name>/<version>.")
]
Example = Annotated[
    Path | None,
    typer.Option(help=".npy file of real rows, or .npz with an array per input, for the checks."),
]
CustomObjects = Annotated[
    list[str] | None,
    typer.Option(help="Module with classes or functions that the file refers to; may be repeated."),
]
AllowUnsafeLambda = Annotated[
    bool,
    typer.Option(
        "--allow-unsafe-lambda",
        help="Load Lambda layers, which RUNS Python code stored in the file.",
    ),
]


@with_annotations
def export(
    model: ModelArgument,
    *,
    output: Output,
    example: Example = None,
    opset: Annotated[int, typer.Option(help="ONNX opset of the file.")] = 18,
    custom_objects: CustomObjects = None,
    allow_unsafe_lambda: AllowUnsafeLambda = False,
    training_data: TrainingData = None,
    target: TrainingTargets = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
    annotations: Annotations,
) -> None:
    """Export a Keras model to an ONNX file whose dropout is active.

    Exit codes: 0: file written; 1: export failed; 2: invalid arguments, or not installed.
    """
    path = output / MODEL_FILE
    _require_writable(path, force)
    # Before TensorFlow starts, which takes seconds.
    _require_installed()
    with _errors_as_text():
        require_reference(model)
    console = Console(stderr=True, markup=False, emoji=False)
    with console.status("Starting TensorFlow …"):
        export_model, load_keras = _exporter()
    # A package.module:function is searched in the working directory, which is added only now,
    # so that its modules cannot shadow the imports of this project.
    sys.path.insert(0, "")
    with _errors_as_text(), console.status(Text(f"Loading {model} …")) as status:
        loaded, source = load_keras(model, custom_objects or (), allow_unsafe_lambda)
        manifest = export_model(
            loaded,
            path,
            example=_read_example(example),
            opset=opset,
            source=source,
            on_stage=lambda stage: status.update(f"{stage} …"),
            **annotations.given,
        )
        manifest = _with_training_data(path, manifest, training_data, target or ())
    _report(path, manifest, as_json)


def _with_training_data(
    path: Path, manifest: Manifest, data: Path | None, target: Sequence[str]
) -> Manifest:
    """Add the fingerprint of the data, which takes the inputs of the finished file to read them."""
    from service.cli.annotated_copy import write_annotated
    from service.cli.training_data import with_training_data

    if data is None:
        return manifest
    try:
        said = with_training_data(Annotations(), data, path, target)
    except InputError as error:
        raise InputError(
            f"{error} {path} was written, and does not say what the model was trained with. Add "
            f"it with mcdropout annotate {path} --force --training-data FILE."
        ) from error
    return write_annotated(path, path, said).manifest


def _require_writable(path: Path, force: bool) -> None:
    """Check before the model is run; the folder is created only after the export's checks."""
    if path.exists() and not force:
        raise _ended(_is_there(path), 2)
    output = path.parent
    folder = next(f for f in (output, *output.absolute().parents) if f.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise _ended(f"nothing can be written to {output}: {folder} is not a writable folder.", 2)


def _is_there(path: Path) -> str:
    output = "to another folder"
    if is_version(path.parent.name):
        model = path.parent.parent
        newest = max(int(found.name) for found in model.iterdir() if is_version(found.name))
        output = f"a new version, --output {model / str(newest + 1)}"
    return f"{path} already exists. Export {output}, or use --force to replace it."


def _require_installed() -> None:
    """Check that the exporter and TensorFlow can be imported, without doing so."""
    try:
        require_own("models")
        with needs("export"):
            if find_spec("tensorflow") is None:
                raise ModuleNotFoundError(name="tensorflow")
    except ImportError as error:
        raise _ended(str(error), 2) from error


def _exporter() -> tuple[Callable[..., Manifest], Callable[..., Any]]:
    """`export_model` and `load_keras`: importing them starts TensorFlow."""
    try:
        with _hidden_start_up_noise():
            from models.export import export_model
            from models.export.source import load_keras
    except ImportError as error:
        raise _ended(str(error), 2) from error
    return export_model, load_keras


@contextmanager
def _errors_as_text() -> Iterator[None]:
    """Print errors of the export without a traceback, and exit with code 1."""
    try:
        yield
    except MCDropoutError as error:
        raise _ended(str(error), 1) from error
    except Exception as error:  # any exception of the model's own code
        text = f"the model cannot be run: {type(error).__name__}: {error}"
        raise _ended(text, 1) from error


def _ended(text: str, code: int) -> typer.Exit:
    """Print an error without wrapping, so that commands in it can be pasted."""
    typer.secho(f"error: {text}", fg="red", err=True)
    return typer.Exit(code)


@contextmanager
def _hidden_start_up_noise() -> Iterator[None]:
    """TensorFlow's libraries log to descriptor 2 before any setting can stop them."""
    saved = os.dup(2)
    with open(os.devnull, "w") as null:
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _read_example(path: Path | None) -> Any:
    if path is None:
        return None
    import numpy as np

    try:
        rows = np.load(path, allow_pickle=False)
        return rows if isinstance(rows, np.ndarray) else dict(rows)
    except OSError as error:
        raise ExportError(f"--example {str(path)!r} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # NumPy's message explains how to load it unsafely
        raise ExportError(
            f"--example {str(path)!r} is not a .npy or .npz file of numbers. Write it with "
            "numpy.save(file, array), or numpy.savez with an array for each input."
        ) from error


def _report(path: Path, manifest: Manifest, as_json: bool) -> None:
    from service.cli.outdated import warn_of_calibration

    warn_of_calibration(path)
    if as_json:
        print(manifest.model_dump_json(indent=2))
        return
    from mcdropout.next_step import next_step

    Console(markup=False, emoji=False).print(_site_table(manifest), _check_table(manifest))
    typer.echo(f"wrote {path} (task {manifest.task})\n\n{next_step(path, manifest)}", err=True)


def _site_table(manifest: Manifest) -> Table:
    checks = manifest.checks
    table = Table("layer", "kind", "dropout rate", "observed", "shape", title="active sites")
    for site in manifest.sites:
        shape = "×".join("?" if size is None else str(size) for size in site.shape[1:])
        observed = "" if checks is None else _observed(checks, site.name)
        note = " (always on in Keras)" if site.always_on else ""
        rate = "" if site.rate is None else f"{site.rate:g}"
        table.add_row(site.layer, site.kind + note, rate, observed, shape)
    return table


def _observed(checks: Checks, name: str) -> str:
    if name in checks.drop_rates:
        return f"{checks.drop_rates[name]:.4f}"
    mean, std = checks.noise[name]
    return f"{mean:.3f} ± {std:.3f}"


def _check_table(manifest: Manifest) -> Table:
    checks = manifest.checks
    table = Table("check", "figure", "allowed", title="checks passed")
    if checks:
        frozen = checks.frozen_tolerance or checks.off_tolerance
        for name, found, allowed in (
            ("difference from Keras, dropout off", checks.off_difference, checks.off_tolerance),
            ("difference from Keras, draws fixed", checks.frozen_difference, frozen),
        ):
            table.add_row(name, f"{found:.1e}", f"{allowed:.0e}")
        for output, spread in checks.spread.items():
            table.add_row(f"spread of {output} over passes", f"{spread:.3g}", "> 0")
    return table
