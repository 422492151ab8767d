"""Binary rows, sent to a real server: NumPy's files and raw memory."""

import io
import zipfile
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service import Predictor
from service.api.tfserving.arrays import NPY, NPZ, RAW, read_binary
from service.errors import InputError
from service.manifest import InputSpec

X = np.random.default_rng(0).uniform(0, 16, (5, 64)).astype(np.float32)
URL = "/v1/models/digits:predict?passes=30&seed=7"
PIXELS = InputSpec(name="pixels", dtype="float32", shape=(None, 64))


def npy(array: NDArray[Any], **kwargs: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **kwargs)
    return file.getvalue()


def npz(compressed: bool = False, **arrays: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (NPY, npy(X)),
        (NPY, npy(np.asfortranarray(X))),
        (NPY, npy(X.astype(">f4"))),
        (NPY, npy(X.astype(np.float64))),
        (RAW, X.tobytes()),
        (NPZ, npz(pixels=X)),
    ],
)
def test_binary_rows_give_the_same_answer_as_json(
    client: httpx.Client, digits: Predictor, kind: str, content: bytes
) -> None:
    answer = client.post(URL, content=content, headers={"Content-Type": kind}).json()
    wanted = digits.predict(X, passes=30, seed=7)
    found = np.array([row["mean"] for row in answer["predictions"]])
    np.testing.assert_array_equal(found, wanted.mean)


def test_answer_is_sent_as_arrays_on_request(client: httpx.Client, digits: Predictor) -> None:
    headers = {"Content-Type": NPY, "Accept": NPZ}
    url = f"{URL}&measures=predictive_entropy,mutual_information"
    response = client.post(url, content=npy(X), headers=headers)
    assert response.headers["content-type"] == NPZ
    assert response.headers["x-mcdropout-seed"] == "7"
    names = ("predictive_entropy", "mutual_information")
    wanted = digits.predict(X, passes=30, seed=7, measures=names)
    with np.load(io.BytesIO(response.content)) as found:
        assert list(found) == ["mean", "variance", *wanted.measures]
        assert set(names) < set(found)
        np.testing.assert_array_equal(found["variance"], wanted.variance)
        np.testing.assert_array_equal(found[names[1]], wanted.measures[names[1]])


def test_training_off_and_options_are_read_from_the_query(
    client: httpx.Client, digits: Predictor
) -> None:
    headers = {"Content-Type": RAW}
    url = "/v1/models/digits:predict"
    off = client.post(f"{url}?training=false", content=X.tobytes(), headers=headers).json()
    wanted = digits.predict_deterministic(X)["probabilities"]
    np.testing.assert_array_equal([row["output"] for row in off["predictions"]], wanted)
    query = "passes=20&seed=1&masks=per_row&rate_scale=0.5&sites=drop_maps,drop_hidden"
    scaled = client.post(f"{url}?{query}", content=X.tobytes(), headers=headers).json()
    sites = ["drop_maps", "drop_hidden"]
    alone = digits.predict(X, 20, 1, masks="per_row", rate_scale=0.5, sites=sites)
    np.testing.assert_array_equal([row["mean"] for row in scaled["predictions"]], alone.mean)


HEADER = npy(X)[:80]


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        (RAW, b"", "the body has 0 bytes; a row of float32 of shape [64] has 256, and whole"),
        (RAW, X.tobytes()[:-1], "the body has 1279 bytes; a row of float32"),
        (RAW, np.full((1, 64), np.nan, np.float32).tobytes(), "the body[0][0] is nan; the model"),
        (NPY, b"", "the body is not an .npy file. Write it with numpy.save(file, array)."),
        (NPY, b"PK\x03\x04", "the body is not an .npy file"),
        (NPY, HEADER, "the body is not an .npy file"),
        (NPY, npy(X)[:-4], "has 1276 bytes of numbers; shape [5, 64] of float32 takes 1280."),
        (NPY, npy(X)[:-4] + b"12345678", "has 1284 bytes of numbers;"),
        (NPY, npy(X[:, :3]), "the body has shape (5, 3) and dtype float32; the model expects"),
        (NPY, npy(X[0]), "For one row, add an axis in front: (1, 64)."),
        (NPY, npy(np.array([["a"]])), "the body has shape (1, 1) and dtype <U1; the model"),
        (NPY, npy(np.array([["a"]]))[:-1], "the body has 3 bytes of strings; shape [1, 1] of <U1"),
        (NPY, npy(np.array([[{}]]), allow_pickle=True), "the body holds object; send numbers, or"),
        (NPY, npy(np.zeros(2, "i4,f4")), "the body holds [('f0', '<i4'), ('f1', '<f4')]; send"),
        (NPZ, b"abc", "the body is not an .npz file (File is not a zip file)."),
        (NPZ, npz(compressed=True, pixels=X), "is compressed; write it with numpy.savez."),
        (NPZ, npz(x=X), "the body names inputs ['x']; the model has ['pixels']."),
    ],
)
def test_invalid_bytes_are_explained(
    client: httpx.Client, kind: str, content: bytes, message: str
) -> None:
    response = client.post(URL, content=content, headers={"Content-Type": kind})
    assert response.status_code == 400
    assert message in response.json()["error"]


def test_claimed_size_is_not_allocated() -> None:
    huge = npy(np.zeros((1, 64), np.float32)).replace(b"(1, 64)", b"(10000000, 6400000)")
    length = int.from_bytes(huge[8:10], "little") + len(b"(10000000, 6400000)") - len(b"(1, 64)")
    content = huge[:8] + length.to_bytes(2, "little") + huge[10:]
    with pytest.raises(InputError, match=r"256 bytes of numbers; shape .10000000, 6400000. of"):
        read_binary(NPY, content, [PIXELS])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("passes=x", "passes is 'x', in which 'x' is not one more field"),
        ("passes=1", "passes is 1; a variance needs at least 2."),
        (
            "pases=5",
            "the query string: unknown field 'pases'; the known fields are ['training', ",
        ),
        ("instances=5", "instances is in the query string; send the rows as the body."),
        ("masks=all", 'masks is \'all\'; it must be "shared" or "per_row".'),
    ],
)
def test_invalid_query_is_explained(client: httpx.Client, query: str, message: str) -> None:
    response = client.post(
        f"/v1/models/digits:predict?{query}", content=X.tobytes(), headers={"Content-Type": RAW}
    )
    assert response.status_code == 400
    assert message in response.json()["error"]


@pytest.mark.parametrize("kind", [NPY, NPZ, RAW])
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_read_or_refused(kind: str, data: st.DataObject) -> None:
    """The only error is InputError, and no array is larger than the bytes."""
    content = bytearray({NPY: npy(X), NPZ: npz(pixels=X), RAW: X.tobytes()}[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        found = read_binary(kind, cut, [PIXELS])
    except InputError:
        return
    arrays = found.values() if isinstance(found, dict) else [found]
    assert sum(array.nbytes for array in arrays) <= len(cut)


def test_zip_with_a_wrong_size_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pixels.npy", bytes(10 << 20))
    with pytest.raises(InputError, match="is compressed"):
        read_binary(NPZ, file.getvalue(), [PIXELS])
