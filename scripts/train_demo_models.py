"""Train the demo models on real data, and export them into the model store.

    python scripts/train_demo_models.py [digits] [co2]

For each it writes models/zoo/trained/<name>.keras and models/store/<name>/1/model.onnx.
"""

from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import keras
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from models.export import export_model
from models.export.source import file_sha256
from models.zoo import co2, digits
from service.annotations import Annotations
from service.calibration.fingerprint import fingerprint, row_hashes
from service.cli.annotated_copy import write_annotated
from service.manifest import DataReference, Source

ROOT = Path(__file__).resolve().parent.parent
ZOO: dict[str, ModuleType] = {"digits": digits, "co2": co2}


def keras_file(name: str) -> Path:
    """The file of the trained Keras model."""
    return ROOT / "models" / "zoo" / "trained" / f"{name}.keras"


def export_demo(name: str, path: Path) -> Any:
    """Export the trained demo model `name` to `path`; returns its manifest."""
    module, source = ZOO[name], keras_file(name)
    exported = export_model(
        keras.saving.load_model(source, compile=False),
        path,
        task=module.TASK,
        labels=getattr(module, "LABELS", None),
        example=module.example(),
        measures=(),  # the examples of the documentation name their measures
        source=Source(kind="file", name=source.name, sha256=file_sha256(source)),
    )
    said = Annotations(training_data=training_data(name, exported.inputs[0].name))
    return write_annotated(path, path, said).manifest


def training_data(name: str, column: str) -> DataReference:
    """The fingerprint of the rows that trained the demo model `name`, of its input `column`."""
    rows = ZOO[name].training_rows()
    return fingerprint(f"the training split of {name}", row_hashes({column: rows}))


def train_demo(name: str, progress: Progress) -> None:
    """Train and save the demo model `name`, with a progress bar over its epochs."""
    module = ZOO[name]
    bar = progress.add_task(f"training {name}", total=module.EPOCHS)
    advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: progress.advance(bar))
    trained = module.train(callbacks=[advance])
    # A model that is not compiled is saved without its optimizer, which is two thirds of the file.
    bare = module.build()
    bare.set_weights(trained.get_weights())
    keras_file(name).parent.mkdir(parents=True, exist_ok=True)
    bare.save(keras_file(name))


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(ZOO)}; all.")] = None,
) -> None:
    """Train the demo models and export them into models/store."""
    unknown = [name for name in names or [] if name not in ZOO]
    if unknown:
        raise typer.BadParameter(f"{unknown} are no demo models; there are {list(ZOO)}.")
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        for name in names or ZOO:
            train_demo(name, progress)
    for name in names or ZOO:
        path = ROOT / "models" / "store" / name / "1" / "model.onnx"
        manifest = export_demo(name, path)
        console.print(
            f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.2f} MB, "
            f"{len(manifest.sites)} sites, off difference {manifest.checks.off_difference:.1e}"
        )


if __name__ == "__main__":
    typer.run(main)
