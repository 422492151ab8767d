"""Malicious NumPy files are refused, with memory in proportion to their bytes."""

import io
import os
import struct
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import pytest

from scripts.local_server import local_server
from service.api.tfserving.arrays import NPY, NPZ, RAW, read_binary
from service.errors import InputError
from service.inference.inputs import read_inputs
from service.manifest import InputSpec
from tests.conftest import STORE
from tests.service.api.test_arrays import npy

pytestmark = pytest.mark.slow

SPEC = InputSpec(name="x", dtype="float32", shape=(None, 3))
FLAGS = InputSpec(name="x", dtype="bool", shape=(None, 3))


def header(text: str, content: bytes = b"") -> bytes:
    padded = text.encode() + b" " * 20 + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + content


def described(descr: str, shape: str, content: bytes = b"") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}"
    return header(text, content)


@pytest.mark.parametrize(
    "content",
    [
        described("<U0", "(3,)"),
        described("<U1", "(1, 3)", b"\0" * 12),
        described("|V0", "(1, 3)"),
        described("|S0", "()"),
        described("<c8", "(1, 3)", b"\0" * 24),
        described("<M8[s]", "(1, 3)", b"\0" * 24),
        described("<f4", f"({'1, ' * 65})", b"\0" * 4),
        described("<f4", f"({'1, ' * 33})", b"\0" * 4),
        described("<f4", "(0, 1000000000000000000000000000000)"),
        described("<f4", "(0, 1073741824, 1073741824, 1073741824)"),
        described("<f4", "(True, True)", b"\0" * 4),
        described("<f4", "(1, -3)", b"\0" * 12),
        described("<f4", "(-1, -3)", b"\0" * 12),
        described("<f4", "(0, 3)"),
        described("<f4", "()", b"\0" * 4),
        described("<f4", "3", b"\0" * 12),
        described("<f4", "(1.0, 3)", b"\0" * 12),
        described("|b1", "(1, 3)", b"\0\5\1"),
        header("(" * 5000),
        header("{" + "'a': " * 2000),
        b"\x93NUMPY\x03\x00" + b"\xff" * 20,
    ],
    ids=range(21),
)
def test_malformed_npy_file_is_refused(content: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_inputs(read_binary(NPY, content, [SPEC]), [SPEC])
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("kind", [NPY, RAW])
def test_bytes_other_than_0_and_1_are_refused_for_bools(kind: str) -> None:
    bools = np.array([[0, 1, 5]], np.uint8)
    content = described("|b1", "(1, 3)", bools.tobytes()) if kind == NPY else bools.tobytes()
    with pytest.raises(InputError, match=r"the body\[2\] is the byte 5; BOOL takes 0 or 1\."):
        read_binary(kind, content, [FLAGS])


def overlapping(count: int, size: int) -> bytes:
    """An .npz file whose members all refer to the same bytes at its end.

    The "extra field" of each local header covers the headers after it, up to these bytes.
    """
    array = npy(np.ones((size, 3), np.float32))
    header = 30 + len("0000.npy")
    local, central = b"", b""
    for number in range(count):
        name = b"%04d.npy" % number
        # Version, flags, compression, time, date; CRC and sizes.
        told = struct.pack("<5H3I", 20, 0, 0, 0, 0x21, zlib.crc32(array), len(array), len(array))
        over = (count - number - 1) * header
        local += b"PK\3\4" + told + struct.pack("<2H", len(name), over) + name
        central += b"PK\1\2" + struct.pack("<H", 20) + told
        central += struct.pack("<5H2I", len(name), 0, 0, 0, 0, 0, number * header) + name
    places = struct.pack("<4H2IH", 0, 0, count, count, len(central), len(local) + len(array), 0)
    return local + array + central + b"PK\5\6" + places


def test_overlapping_members_are_refused_before_they_are_read() -> None:
    content = overlapping(1000, 10_000)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"is not an \.npz file.*overlap"):
        read_binary(NPZ, content, [SPEC])
    assert tracemalloc.get_traced_memory()[1] < 5 * len(content)
    tracemalloc.stop()


def test_damaged_npz_file_is_read_or_refused() -> None:
    file = io.BytesIO()
    np.savez(file, x=np.ones((2, 3), np.float32), y=np.ones(3))
    whole = file.getvalue()
    rng = np.random.default_rng(1)
    for _ in range(3000):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 5)):
            damaged[place] = int(rng.choice([0, 255, int(rng.integers(256))]))
        with suppress(InputError):
            read_binary(NPZ, bytes(damaged), [SPEC])


@pytest.mark.parametrize("rows", [[[]], [[], []], np.ones((1, 0, 2)), [[[]]]])
def test_empty_dynamic_axis_is_refused(rows: object) -> None:
    spec = InputSpec(name="x", dtype="float32", shape=(None, None, 2))
    with pytest.raises(InputError):
        read_inputs(rows, [spec])


def test_model_names_that_headers_cannot_contain(tmp_path: Path) -> None:
    """A folder whose name is not UTF-8 is skipped with a warning."""
    (tmp_path / "год 100%").symlink_to(STORE / "co2")
    os.symlink(STORE / "co2", os.fsencode(tmp_path) + b"/\xff\xfe")
    with local_server(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        answer = client.post(
            "/v1/models/год 100%25:predict",
            json={"instances": [[1985.0]], "passes": 2},
            headers={"Accept": NPZ},
        )
        assert answer.status_code == 200
        assert answer.headers["X-MCDropout-Model"] == "%D0%B3%D0%BE%D0%B4 100%25"
        assert len(client.get("/v1/models").json()["models"]) == 1
        assert client.post("/v2/repository/index").status_code == 200
        assert client.get("/metrics").status_code == 200
        assert client.get("/health/ready").status_code == 200
    lines = [line for line in server.lines if "is ignored: its name is not UTF-8" in line]
    assert len(lines) == 1
