"""`mcdropout annotate`, run as a command in this process."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from typer.testing import CliRunner, Result

from service import annotations, load_model
from service.calibration.fingerprint import row_hashes
from service.cli import app
from service.errors import ArtifactError
from service.graph.artifact import read_artifact
from service.manifest import METADATA_KEY, Manifest
from tests.conftest import ROOT
from tests.service.calibration.models import calibrate, save_calibrated
from tests.service.graph.adopt.foreign import graph
from tests.service.graph.external import save_apart

X = np.ones((2, 4), np.float32)
LABELS = ("--labels", "a,b,c,d")
CLASSES = ("--task", "classification", "--link", "softmax")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A foreign file of four logits."""
    path = tmp_path / "theirs" / "model.onnx"
    path.parent.mkdir()
    onnx.save(ir.to_proto(graph("[d] h = Dropout(x, half, on) y = Relu(h)")), path)
    return path


def annotate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["annotate", *map(str, arguments)])


def written(*arguments: object) -> Manifest:
    """The manifest of the file that is written, which is the last argument."""
    ended = annotate(*arguments)
    assert ended.exit_code == 0, ended.output
    return read_artifact(str(arguments[-1])).manifest


def refused(*arguments: object) -> str:
    ended = annotate(*arguments)
    assert ended.exit_code == 2, ended.output
    return ended.output.replace("\n", " ")


def metadata(path: Path) -> dict[str, str]:
    return {p.key: p.value for p in onnx.load(path, load_external_data=False).metadata_props}


def test_a_foreign_file_is_read_as_before_plus_what_is_said(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.onnx"
    before, content = read_artifact(path).manifest, path.read_bytes()
    found = written(path, *CLASSES, *LABELS, "--passes", 30, "--output", copy)
    assert (found.task, found.labels, found.passes) == ("classification", tuple("abcd"), 30)
    assert found.outputs[0].link == "softmax"
    assert (found.inputs, found.sites) == (before.inputs, before.sites)
    assert path.read_bytes() == content
    said = json.loads(metadata(copy)[annotations.METADATA_KEY])
    assert set(said) == {"task", "labels", "link", "passes"}
    mean = load_model(copy).predict(X, passes=10, seed=1).mean
    np.testing.assert_allclose(mean.sum(axis=-1), 1, atol=1e-6)


def test_an_artifact_gets_another_manifest(digits_path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.onnx"
    before = read_artifact(digits_path).manifest
    found = written(digits_path, "--measures", "predictive_entropy, std", "--output", copy)
    assert found == before.model_copy(update={"measures": ("predictive_entropy", "std")})
    assert annotations.METADATA_KEY not in metadata(copy)
    assert json.loads(metadata(copy)[METADATA_KEY])["measures"] == ["predictive_entropy", "std"]


def test_default_measures_can_be_taken_away(digits_path: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.onnx", tmp_path / "2.onnx"
    written(digits_path, "--measure", "confidence", "--output", first)
    assert written(first, "--no-measures", "--output", second).measures == ()
    assert "one of --measures and --no-measures" in refused(
        first, "--no-measures", "--measure", "x"
    )


def test_a_second_time_adds_to_the_first(path: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.onnx", tmp_path / "2.onnx"
    written(path, *CLASSES, "--output", first)
    found = written(first, *LABELS, "--output", second)
    assert (found.task, found.labels) == ("classification", tuple("abcd"))
    assert found.outputs[0].link == "softmax"


def test_what_a_sidecar_says_is_in_the_copy(path: Path, tmp_path: Path) -> None:
    path.with_name("model.mcdropout.json").write_text('{"task": "regression", "passes": 9}')
    copy = tmp_path / "copy.onnx"
    found = written(path, "--noise-precision", 4, "--output", copy)
    assert (found.task, found.passes, found.noise_precision) == ("regression", 9, 4.0)


def test_a_folder_gets_a_file_that_a_server_finds(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "mine" / "1"
    assert annotate(path, "--task", "regression", "--output", folder).exit_code == 0
    assert read_artifact(folder / "model.onnx").manifest.task == "regression"


def test_the_model_itself_is_changed_with_force_alone(path: Path) -> None:
    assert "model.onnx already exists. Give" in refused(path, "--task", "regression")
    assert annotate(path, "--task", "regression", "--force").exit_code == 0
    assert read_artifact(path).manifest.task == "regression"


def test_a_link_to_a_model_stays_one(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.onnx"
    link.symlink_to(path)
    written("--task", "regression", "--force", link)
    assert link.is_symlink()
    assert read_artifact(path).manifest.task == "regression"


def apart(path: Path) -> None:
    """Put the weights of a model into data files of their own."""
    save_apart(onnx.load(path), path, "w.data")


def test_data_files_are_copied_and_their_references_kept(digits_path: Path, tmp_path: Path) -> None:
    source = tmp_path / "1" / "model.onnx"
    source.parent.mkdir()
    shutil.copy(digits_path, source)
    apart(source)
    weights = source.with_name("w.data").read_bytes()
    copy = tmp_path / "2" / "model.onnx"
    found = written(source, "--passes", 40, "--output", copy)
    assert found.passes == 40
    assert copy.with_name("w.data").read_bytes() == weights
    assert copy.stat().st_size < 100_000
    assert written(source, "--passes", 50, "--force", "--output", source).passes == 50
    assert source.with_name("w.data").read_bytes() == weights
    load_model(source)


def test_weights_of_another_model_are_not_replaced(digits_path: Path, tmp_path: Path) -> None:
    source = tmp_path / "1" / "model.onnx"
    source.parent.mkdir()
    shutil.copy(digits_path, source)
    apart(source)
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "w.data").write_bytes(b"others")
    assert "with other weights than" in refused(source, "--passes", 40, "--output", tmp_path / "2")
    assert [file.name for file in (tmp_path / "2").iterdir()] == ["w.data"]


def test_what_fails_verification_is_not_written(path: Path, tmp_path: Path) -> None:
    apart(path)
    said = refused(path, "--task", "classification", "--output", tmp_path / "new" / "model.onnx")
    assert "set the output's link: softmax" in said
    assert list((tmp_path / "new").iterdir()) == []


def test_dropout_that_is_off_is_activated_as_the_server_does(tmp_path: Path) -> None:
    source = ROOT / "tests" / "data" / "torch" / "mlp_legacy_opset11.onnx"
    arguments = (source, *CLASSES, "--output", tmp_path / "copy.onnx")
    assert "--activate-dropout" in refused(*arguments)
    assert annotate(*arguments, "--activate-dropout").exit_code == 0
    found = read_artifact(tmp_path / "copy.onnx", activate_dropout=True).manifest
    assert found.task == "classification"


def test_labels_are_given_in_one_of_three_ways(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("a\nb\nc\nd, really\n")
    copy = tmp_path / "copy.onnx"
    to = ("--force", "--output", copy)
    assert written(path, *CLASSES, "--labels-file", file, *to).labels == (*"abc", "d, really")
    assert written(path, *CLASSES, "--labels", file, *to).labels == (*"abc", "d, really")
    each = [word for label in "dcba" for word in ("--label", label)]
    assert written(path, *CLASSES, *each, *to).labels == tuple("dcba")
    assert "give one of --label, --labels" in refused(path, *each, *LABELS, *to)
    assert "cannot be read" in refused(path, "--labels-file", tmp_path / "no.txt", *to)


def test_links_of_several_outputs(tmp_path: Path) -> None:
    outputs = "float[batch, 4] y, float[batch, 4] z"
    model = graph("[d] y = Dropout(x, half, on) z = Relu(y)", outputs=outputs)
    source, copy = tmp_path / "m.onnx", tmp_path / "copy.onnx"
    onnx.save(ir.to_proto(model), source)
    found = written(source, "--link", "softmax", "--link", "z=identity", "--output", copy)
    assert [spec.link for spec in found.outputs] == ["softmax", "identity"]


def test_the_noise_of_a_regression(path: Path, tmp_path: Path) -> None:
    said = ("--task", "heteroscedastic_regression", "--noise-mean", "y", "--noise", "y")
    form = ("--noise-form", "log_variance")
    found = written(path, *said, *form, "--output", tmp_path / "copy.onnx")
    assert found.noise is not None
    assert (found.noise.mean, found.noise.noise, found.noise.form) == ("y", "y", "log_variance")
    assert "go together; --noise-form is missing" in refused(path, *said, "--output", tmp_path)
    assert "go together; --noise-mean is missing" in refused(path, *form, "--output", tmp_path)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["--labels", "a,b"], "labels: 2 labels were given, and output 'y' has 4 classes."),
        (["--link", "z=softmax"], "link: there is no output 'z'; there are ['y']."),
        (["--link", "softmx"], "link: Input should be 'identity', 'softmax' or 'sigmoid'"),
        (["--measure", "entropy"], "measures: names ['entropy']"),
        (["--passes", 1], "passes: Input should be greater than or equal to 2"),
        (["--noise-precision", 1], "noise_precision: it is that of a regression"),
        (["--task", "boxes"], "'boxes' is not one of 'classification'"),
        ([], "nothing is said of the model"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(
    said: list[object], message: str, path: Path, tmp_path: Path
) -> None:
    found = refused(path, *said, "--output", tmp_path / "copy.onnx")
    assert message in " ".join(found.replace("│", " ").split())
    assert not (tmp_path / "copy.onnx").exists()


def test_a_sidecar_that_would_override_the_copy_is_told(path: Path) -> None:
    path.with_name("model.mcdropout.json").write_text("{}")
    found = refused(path, "--task", "regression", "--force")
    assert "model.mcdropout.json overrides what" in found


def test_what_was_written_is_shown(path: Path, tmp_path: Path) -> None:
    ended = annotate(path, *CLASSES, *LABELS, "--output", tmp_path / "copy.onnx")
    for text in ("classification", "a, b, c, d", "y: softmax", "wrote"):
        assert text in ended.output


def test_training_data_leave_their_fingerprint(path: Path, tmp_path: Path) -> None:
    rows = np.arange(20, dtype=np.float64).reshape(5, 4)
    np.savez(tmp_path / "train.npz", x=np.tile(rows, (2, 1)), y=np.zeros(10))
    copy = tmp_path / "copy.onnx"
    found = written(path, "--training-data", tmp_path / "train.npz", "--output", copy)
    reference = found.training_data
    assert reference is not None
    assert (reference.name, reference.rows) == ("train.npz", 10)
    assert set(reference.smallest) == set(row_hashes({"x": rows.astype(np.float32)}))


def test_training_data_of_other_columns_are_refused(path: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", x=np.zeros((10, 3)))
    text = refused(path, "--training-data", tmp_path / "train.npz", "--output", tmp_path / "c.onnx")
    assert "train.npz" in text
    assert "(rows, 4)" in text


def test_targets_in_training_data_are_left_out(path: Path, tmp_path: Path) -> None:
    lines = [f"{row},1,2,3,yes" for row in range(10)]
    data = tmp_path / "train.csv"
    data.write_text("\n".join(["a,b,c,d,outcome", *lines]))
    flags = ("--training-data", data, "--output", tmp_path / "copy.onnx")
    assert "Name columns with targets by --target." in refused(path, *flags)
    reference = written(path, "--target", "outcome", *flags).training_data
    assert reference is not None
    x = np.array([[row, 1, 2, 3] for row in range(10)], np.float32)
    assert set(reference.smallest) == set(row_hashes({"x": x}))


def test_a_calibration_beside_the_file_is_of_the_file_before(tmp_path: Path) -> None:
    path = save_calibrated(tmp_path)
    ended = annotate(path, "--passes", 50, "--force")
    assert ended.exit_code == 0, ended.output
    said = ended.stderr.replace("\n", "")
    assert f"warning: {path.parent}/calibration.json was not fitted to the new file." in said
    assert f"fit it again, with mcdropout calibrate {path} --force --data FILE, or remove" in said
    assert "served" not in said
    with pytest.raises(ArtifactError, match=r"model\.sha256: it was fitted"):
        load_model(path)
    calibrate(path)
    assert load_model(path).manifest.passes == 50


def test_no_calibration_is_warned_of_where_none_is_left(path: Path, tmp_path: Path) -> None:
    assert "warning" not in annotate(path, "--task", "regression", "--force").output
    path.with_name("calibration.json").write_text("{")
    assert "was not fitted to the new file" in annotate(path, "--passes", 9, "--force").stderr
