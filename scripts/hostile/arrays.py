"""Slightly wrong binary arrays: NumPy's files, raw memory, binary tensors."""

import io
import json
import random

import numpy as np

from scripts.hostile.cases import Call
from scripts.hostile.values import TENSOR, V1, V2, broken

NPY, NPZ, RAW = "application/x-npy", "application/x-npz", "application/octet-stream"
_TYPES = ["<U0", "<U9", "|V0", "|S0", "|b1", "<c8", "<f2", ">f4", "<f8", "<i8", "|O", "<M8[s]", "f"]
_SHAPES = [
    *("()", "(64,)", "(0, 64)", "(64, 1)", "(True, 64)", "(-1, 64)", "(1, -64)", "(1.0, 64)"),
    *("(0, 10**30)", f"(0, {10**30})", f"({'1, ' * 65})", f"({'1, ' * 33})", "[1, 64]", "None"),
]


def _npy(rng: random.Random) -> bytes:
    file = io.BytesIO()
    np.save(
        file, np.full((rng.randrange(1, 3), 64), 4, rng.choice([np.float32, np.int8, np.bool_]))
    )
    content = file.getvalue()
    if rng.random() < 0.5:
        return content
    start = content.index(b"'shape': ") + 9
    end = content.index(b")", start) + 1
    kind = content.index(b"'descr': ") + 10
    other = rng.choice(_TYPES).encode()
    shape = rng.choice(_SHAPES).encode()
    head = content[:kind] + other + content[kind + 3 : start] + shape + content[end:128]
    return head[:8] + (len(head) - 10).to_bytes(2, "little") + head[10:] + content[128:]


def _npz(rng: random.Random) -> bytes:
    file = io.BytesIO()
    arrays = {rng.choice(["pixels", "x", "\u00e9", "a" * 3000]): np.full((1, 64), 4, np.float32)}
    save = rng.choice([np.savez, np.savez, np.savez_compressed])
    save(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def damaged_array(rng: random.Random) -> Call:
    """Binary rows with wrong bytes, or of another kind than the content type says."""
    kind, make = rng.choice(
        [(NPY, _npy), (NPZ, _npz), (RAW, lambda rng: rng.randbytes(rng.choice([0, 1, 256, 512])))]
    )
    content = make(rng)
    if rng.random() < 0.6:
        content = broken(rng, content)
    if rng.random() < 0.1:
        kind = rng.choice([NPY, NPZ, RAW])
    headers = {"Content-Type": kind, "Accept": rng.choice(["*/*", NPZ, NPY])}
    path = rng.choice([V1, V1, "/v1/models/co2:predict"])
    query = rng.choice(["", "", "?passes=2", "?passes=x&seed=", "?sites=,,&measures=", "?inputs=1"])
    return Call("damaged array", path + query, content, headers=headers)


def binary_tensor(rng: random.Random) -> Call:
    """A binary tensor whose lengths, shapes and types do not match its JSON."""
    tail = rng.randbytes(rng.choice([0, 255, 256, 256, 256, 257]))
    size = rng.choice([256, 256, 255, 0, -1, 1 << 63, 1e3, True, None, "256"])
    tensor = {k: v for k, v in TENSOR.items() if k != "data"} | {
        "parameters": {"binary_data_size": size},
        "shape": rng.choice([[1, 64], [64, 1], [0, 64], [1 << 62, 1 << 62], [1] * 40, [-1], []]),
        "datatype": rng.choice(["FP32", "FP32", "FP64", "BOOL", "BYTES", "INT8", "fp32", ""]),
    }
    text = json.dumps({"inputs": [tensor] * rng.choice([1, 1, 1, 2])}).encode()
    length = rng.choice(
        [len(text), len(text), len(text) - 1, 0, 10**30, "-1", "+5", "\u00b2", "1_0"]
    )
    header = str(length).encode("latin-1", "ignore").decode("latin-1")
    content = broken(rng, text + tail) if rng.random() < 0.3 else text + tail
    return Call("binary tensor", V2, content, headers={"Inference-Header-Content-Length": header})
