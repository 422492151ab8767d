"""Models that are loaded again, replaced and unloaded while they serve."""

import gc
import threading
import weakref
from pathlib import Path

import numpy as np
import onnx
import pytest

from service import Predictor, load_model
from service.errors import LoadError, ModelError, ModelNotFoundError, ModelUnavailableError
from service.repository.registry import Repository, State
from tests.service.graph.external import save_apart
from tests.service.repository.folders import place, repository, states

pytestmark = pytest.mark.slow

X = np.linspace(0, 16, 64, dtype=np.float32)[None]


def other(content: bytes, factor: float = 0.5) -> bytes:
    """The digits model with other weights, and therefore other answers."""
    model = onnx.load_model_from_string(content)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2:
            weights = onnx.numpy_helper.to_array(tensor) * np.float32(factor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights, tensor.name))
    changed: bytes = model.SerializeToString()
    return changed


def mean(models: Repository, seed: int = 7, number: int | None = None) -> np.ndarray:
    return models.predictor("digits", number)[1].predict(X, passes=20, seed=seed).mean


@pytest.fixture
def content(digits_path: Path) -> bytes:
    return digits_path.read_bytes()


def test_a_newer_version_replaces_the_older(tmp_path: Path, content: bytes) -> None:
    place(tmp_path, "digits", 1, content)
    models = repository(tmp_path)
    before = mean(models)
    place(tmp_path, "digits", 2, other(content))
    models.load("digits")
    assert states(models) == {2: "ready", 1: "unloaded"}
    assert models.version("digits", 1).reason.startswith("version 2 is newer")
    assert not np.allclose(mean(models), before)


def test_loaded_version_is_not_loaded_again(tmp_path: Path, content: bytes) -> None:
    place(tmp_path, "digits", 1, content)
    models = repository(tmp_path)
    before = models.predictor("digits")[1]
    models.load("digits")
    assert models.predictor("digits")[1] is before


def test_changed_file_replaces_the_old_one(tmp_path: Path, content: bytes) -> None:
    path = place(tmp_path, "digits", 1, content)
    models = repository(tmp_path)
    before, held = mean(models), models.predictor("digits")[1]
    path.write_bytes(other(content))
    models.load("digits")
    assert not np.allclose(mean(models), before)
    np.testing.assert_array_equal(held.predict(X, passes=20, seed=7).mean, before)


def test_changed_external_data_is_a_changed_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "digits" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)

    def save(model: bytes) -> None:
        path.with_name("w").unlink(missing_ok=True)
        save_apart(onnx.load_model_from_string(model), path, "w")

    save(other(content))
    changed = path.with_name("w").read_bytes()
    save(content)
    models = repository(tmp_path)
    before = mean(models)
    path.with_name("w").write_bytes(changed)
    models.load("digits")
    assert not np.allclose(mean(models), before)


@pytest.mark.parametrize("fault", ["truncated", "garbage", "empty", "deleted", "folder"])
def test_broken_file_keeps_the_loaded_model(tmp_path: Path, content: bytes, fault: str) -> None:
    path = place(tmp_path, "digits", 1, content)
    models = repository(tmp_path)
    before = mean(models)
    broken = {"truncated": content[:1000], "garbage": b"\x89PNG" * 100, "empty": b""}
    if fault in broken:
        path.write_bytes(broken[fault])
    else:
        path.unlink()
        if fault == "folder":
            path.mkdir()
    with pytest.raises(
        ModelError, match=r"version 1 \(ready\): the version loaded before continues to serve"
    ):
        models.load("digits")
    assert models.version("digits").state is State.READY
    assert str(path) in models.version("digits").reason
    np.testing.assert_array_equal(mean(models), before)
    if fault == "folder":
        path.rmdir()
    path.write_bytes(content)
    models.load("digits")
    assert models.version("digits").reason == ""


def test_broken_newer_version_keeps_the_older_one(tmp_path: Path, content: bytes) -> None:
    place(tmp_path, "digits", 1, content)
    models = repository(tmp_path)
    place(tmp_path, "digits", 2, content[:1000])
    with pytest.raises(ModelError, match=r"model 'digits' is not up to date: version 2 \(failed\)"):
        models.load("digits")
    assert states(models) == {2: "failed", 1: "ready"}
    assert models.predictor("digits")[0].number == 1


def test_newer_version_serves_only_when_it_is_ready(tmp_path: Path, content: bytes) -> None:
    place(tmp_path, "digits", 1, content)
    seen: list[dict[int | None, str]] = []
    models: Repository

    def load(path: Path) -> Predictor:
        loaded = load_model(path)
        if "2" in path.parts:
            seen.append(states(models))
            assert models.predictor("digits")[0].number == 1
        return loaded

    models = repository(tmp_path, load)
    place(tmp_path, "digits", 2, content)
    models.load("digits")
    assert seen == [{2: "loading", 1: "ready"}]


def test_an_explicit_load_tries_a_failed_file_again(tmp_path: Path, content: bytes) -> None:
    place(tmp_path, "digits", 1, content)
    faults = iter([ModelError("too little memory")])

    def load(path: Path) -> Predictor:
        for fault in faults:
            raise fault
        return load_model(path)

    models = repository(tmp_path, load)
    assert states(models) == {1: "failed"}
    models.load("digits")
    assert states(models) == {1: "ready"}


def test_new_model_is_loaded_by_name(tmp_path: Path, content: bytes) -> None:
    models = repository(tmp_path)
    place(tmp_path, "digits", 1, content)
    models.load("digits")
    assert models.names() == ["digits"]
    assert models.predictor("digits")[0].state is State.READY


@pytest.mark.parametrize("what", ["model_names", "scan_model"])
def test_unreadable_folder_is_reported_and_models_keep_serving(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    place(tmp_path, "digits", 1, content)
    models = repository(tmp_path)
    models.load("digits")

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(f"service.repository.registry.{what}", refuse)
    with pytest.raises(LoadError, match=r"is not up to date: .* cannot be read: Permission denied"):
        models.load("digits")
    assert models.predictor("digits")[0].state is State.READY


def test_a_model_without_versions_cannot_be_loaded(tmp_path: Path) -> None:
    models = repository(tmp_path)
    (tmp_path / "digits").mkdir()
    with pytest.raises(ModelError, match="has no version folder"):
        models.load("digits")
    with pytest.raises(ModelError, match="has no folder of this number"):
        repository(tmp_path, policy="3").load("digits")


@pytest.mark.parametrize("name", ["../store/digits", "digits/1", "/etc", "..", ".", "", ".hidden"])
def test_model_name_is_never_used_as_a_path(tmp_path: Path, content: bytes, name: str) -> None:
    place(tmp_path, "store/digits", 1, content)
    place(tmp_path, "store/.hidden", 1, content)
    models = repository(tmp_path / "store")
    with pytest.raises(ModelNotFoundError, match="this server has: digits"):
        models.load(name)
    with pytest.raises(ModelNotFoundError):
        models.unload(name)
    assert models.names() == ["digits"]


def test_unloaded_model_is_listed_and_does_not_answer(tmp_path: Path, content: bytes) -> None:
    place(tmp_path, "digits", 1, content)
    place(tmp_path, "digits", 2, b"broken")
    models = repository(tmp_path)
    held = models.predictor("digits")[1]
    models.unload("digits")
    assert states(models) == {2: "unloaded", 1: "unloaded"}
    said = "by request; POST /v2/repository/models/digits/load loads it"
    with pytest.raises(ModelUnavailableError, match=said):
        models.predictor("digits")
    assert held.predict(X, passes=2, seed=1).mean.shape == (1, 10)
    with pytest.raises(ModelError, match=r"version 2 \(failed\)"):
        models.load("digits")
    assert models.predictor("digits")[0].number == 1


def test_model_unloaded_during_the_start_is_not_loaded(tmp_path: Path, content: bytes) -> None:
    place(tmp_path, "digits", 1, content)
    models = Repository(tmp_path, load_model)
    models.unload("digits")
    models.load_all()
    assert models.loaded
    assert states(models) == {1: "unloaded"}


def test_model_with_a_removed_folder_serves_until_it_is_unloaded(
    tmp_path: Path, content: bytes
) -> None:
    place(tmp_path, "digits", 1, content)
    models = repository(tmp_path)
    (tmp_path / "digits").rename(tmp_path / ".gone")
    with pytest.raises(
        ModelError, match=r"its folder was removed\. What was loaded from it continues to serve"
    ):
        models.load("digits")
    assert models.version("digits").state is State.READY
    models.unload("digits")
    with pytest.raises(ModelNotFoundError):
        models.load("digits")
    assert models.names() == []


def test_replaced_and_unloaded_models_are_freed(tmp_path: Path, content: bytes) -> None:
    path = place(tmp_path, "digits", 1, content)
    models = repository(tmp_path)
    first = weakref.ref(models.predictor("digits")[1])
    path.write_bytes(other(content))
    models.load("digits")
    gc.collect()
    assert first() is None
    second = weakref.ref(models.predictor("digits")[1])
    place(tmp_path, "digits", 2, content)
    models.load("digits")
    gc.collect()
    assert second() is None
    third = weakref.ref(models.predictor("digits")[1])
    models.unload("digits")
    gc.collect()
    assert third() is None


@pytest.mark.slow
def test_each_answer_belongs_to_one_version(tmp_path: Path, content: bytes) -> None:
    """Threads send requests continuously; each answer is that of one of the two versions."""
    path = place(tmp_path, "digits", 1, content)
    contents = [content, other(content)]
    wanted = {}
    for index, either in enumerate(contents):
        path.write_bytes(either)
        model = load_model(path)
        for seed in range(2):
            wanted[seed, index] = model.predict(X, passes=20, seed=seed).mean
    models = repository(tmp_path)
    ended, faults, counts = threading.Event(), [], [0, 0]

    def ask(seed: int) -> None:
        try:
            while not ended.is_set():
                found = mean(models, seed)
                same = [np.array_equal(found, wanted[seed, index]) for index in (0, 1)]
                assert any(same), f"seed {seed} is neither version's"
                counts[same.index(True)] += 1
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(20):
        if turn % 2:
            path.write_bytes(contents[turn % 4 == 1])
        else:
            place(tmp_path, "digits", turn + 2, contents[turn % 4 == 0])
        path = max(tmp_path.glob("digits/*/model.onnx"), key=lambda p: int(p.parent.name))
        models.load("digits")
    ended.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert min(counts) > 0
