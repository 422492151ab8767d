from pathlib import Path

import pytest

from service.errors import ExportError
from service.keras_reference import require_reference


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_file_that_is_there_is_accepted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    require_reference(str(tmp_path / name))


def test_function_is_accepted() -> None:
    require_reference("package.module:build")


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("missing.keras", "there is no file 'missing.keras'"),
        ("model.onnx", "'model.onnx' is not a model: give a .keras or .h5 file, or package"),
        (".", "'.' is a folder, not a model"),
    ],
)
def test_other_reference_is_refused(reference: str, text: str) -> None:
    with pytest.raises(ExportError) as caught:
        require_reference(reference)
    assert str(caught.value).startswith(text)
