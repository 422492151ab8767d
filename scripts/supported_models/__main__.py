"""Export every row of the table and write docs/supported-models.md."""

import tempfile
from pathlib import Path

import keras
from rich.progress import track

from models.export import export_model
from scripts.supported_models import ROWS, largest_difference
from scripts.supported_models.refused import REFUSED
from service.manifest import Manifest

ROOT = Path(__file__).resolve().parent.parent.parent


def kinds(manifest: Manifest) -> str:
    """The kinds of sites with their numbers, and the number of layers that stay off."""
    names = [site.kind for site in manifest.sites]
    counts = [f"{names.count(name)} {name}" for name in dict.fromkeys(names)]
    off = len(manifest.kept_off)
    return ", ".join([*counts, f"{off} kept off"] if off else counts)


HEADER = """# Supported models

Every row is a model that the tests export and that the server then samples. *Difference* is the
maximum difference between the exported file and Keras, relative to a row's largest output, with
dropout off or with every draw at its midpoint; the tolerance follows from the rounding of Keras
itself ([architecture.md](architecture.md)). *Kept off* counts layers that the model's own code
calls with `training=False`. `python -m scripts.supported_models` generates this page.
"""


def main() -> None:
    """Export every row and write the table."""
    lines = [HEADER]
    everything = [(group, entry) for group, entries in ROWS.items() for entry in entries]
    group = ""
    with tempfile.TemporaryDirectory() as folder:
        for title, entry in track(everything, "exporting"):
            if title != group:
                group = title
                lines += [f"\n## {group}\n", "| model | sites | difference |", "|---|---|---|"]
            keras.utils.clear_session()
            keras.utils.set_random_seed(0)
            path = Path(folder) / "model.onnx"
            manifest = export_model(entry.build(), path, task="other", example=entry.example)
            difference = f"{largest_difference(manifest):.1e}"
            lines.append(f"| {entry.name} | {kinds(manifest)} | {difference} |")
    (ROOT / "docs" / "supported-models.md").write_text("\n".join([*lines, REFUSED]))


if __name__ == "__main__":
    main()
