"""Slightly wrong JSON: valid bodies with changes in their tree and their text."""

import json
import random
from typing import Any

from scripts.hostile.cases import Call

V1 = "/v1/models/digits:predict"
V2 = "/v2/models/digits/infer"
ROW = [4.0] * 64
TENSOR = {"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": ROW}
#: Path and body of valid requests.
VALID: list[tuple[str, dict[str, Any]]] = [
    (V1, {"instances": [ROW, ROW], "passes": 3, "seed": 1, "masks": "per_row"}),
    (V1, {"inputs": {"pixels": [ROW]}, "passes": 2, "measures": ["mutual_information"]}),
    (V1, {"instances": [ROW], "training": False}),
    ("/v1/models/co2:predict", {"instances": [[1985.0]], "passes": 2, "sites": ["drop_1"]}),
    (
        "/v1/models/co2/versions/1:predict",
        {"instances": [[1985]], "rate_scale": 0.5, "timeout": 2.0},
    ),
    (V2, {"inputs": [TENSOR], "parameters": {"passes": 3, "seed": 1}, "id": "a"}),
    (V2, {"inputs": [TENSOR], "outputs": [{"name": "mean", "parameters": {"binary_data": True}}]}),
    (V2, {"inputs": [{**TENSOR, "data": [ROW]}], "parameters": {"training": False}}),
    ("/v2/repository/index", {"ready": True}),
    ("/v2/repository/models/co2/load", {"parameters": {"unload_dependents": True}}),
]
WORDS = ["instances", "inputs", "passes", "shape", "data", "name", "datatype", "binary_data_size"]
#: JSON text, valid or nearly so, to replace a value.
ODD = [
    *("null", "true", "false", "[]", "{}", '""', '"1"', "0", "-1", "1.5", "1e308", "-0.0", "1e999"),
    *("NaN", "Infinity", "-Infinity", "nan", "01", "+1", ".5", "1.", "0x10", "1_0", "--1", "tru"),
    *("9007199254740993", "18446744073709551616", "1" * 40, "1" * 5000, "-" + "9" * 400),
    *('"\\ud800"', '"\\u0000"', '"\\x"', '"\u0001"', '"\U0001f600"', '"\u202e"', "'a'", '"a'),
    *('"FP64"', '"BYTES"', '"BOOL"', '"INT64"', '{"b64": "AAAA"}', "[[[[1]]]]", "[1,2,", "{,}"),
    *("/* */ 1", "1 // a", "[1 2]", '{"a" 1}', '{"a":1,}', "\ufeff1", "undefined", "[,1]"),
]


def damaged_json(rng: random.Random) -> Call:
    """A valid body with other values in some places, or with broken text."""
    path, body = rng.choice(VALID)
    changed = json.loads(json.dumps(body))
    tokens: dict[str, str] = {}
    for number in range(rng.choice([0, 1, 1, 2, 3])):
        _change(rng, changed, f"\x00{number}", tokens)
    text = json.dumps(changed)
    for mark, odd in tokens.items():
        text = text.replace(json.dumps(mark), odd)
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.4:
        content = broken(rng, content)
    return Call("damaged JSON", path, content, headers={"Content-Type": "application/json"})


def _change(rng: random.Random, value: Any, mark: str, tokens: dict[str, str]) -> None:
    """Replace something in a tree by an odd value."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))[:64]
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(value[key], dict | list) and rng.random() < 0.7:
            value = value[key]
            continue
        break
    match rng.randrange(5):
        case 0 if isinstance(value, dict):
            value[rng.choice([*WORDS, "\u00e9" * 9, "x" * 30_000])] = value.pop(key)
        case 1:
            del value[key]
        case 2:
            value[key] = [value[key]] * rng.choice([0, 1, 2, 65])
        case _:
            value[key] = mark
            tokens[mark] = odd_value(rng)


def odd_value(rng: random.Random) -> str:
    """The text of an odd value."""
    match rng.randrange(12):
        case 0:
            depth = rng.choice([10, 100, 199, 200, 300, 5000])
            return "[" * depth + "1" + "]" * depth
        case 1:
            return json.dumps("".join(chr(rng.choice([9, 65, 233, 8364])) for _ in range(9)) * 90)
        case 2:
            return "[" + ",".join(rng.choices(ODD, k=rng.randrange(1, 70))) + "]"
        case 3:
            return '{"' + rng.choice(WORDS) + '":' + rng.choice(ODD) + "}"
        case 4:
            return str(rng.randint(-(1 << rng.randrange(1, 80)), 1 << rng.randrange(1, 80)))
    return rng.choice(ODD)


def broken(rng: random.Random, content: bytes) -> bytes:
    """Bytes with some of them cut, doubled, moved or replaced."""
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 5)):
        place, size = rng.randrange(len(changed) + 1), rng.choice([1, 1, 2, 8, 100])
        match rng.randrange(5):
            case 0:
                del changed[place : place + size]
            case 1:
                changed[place:place] = changed[place : place + size]
            case 2:
                changed[place:place] = rng.choice([b"[", b"}", b'"', b",", b"\\", b"\x00", b"\xff"])
            case 3:
                changed[place : place + 1] = rng.randbytes(1)
            case _:
                del changed[rng.randrange(len(changed) + 1) :]
    return bytes(changed)


def bulky(rng: random.Random) -> Call:
    """A body of some megabytes of brackets, strings or numbers."""
    path = rng.choice([V1, V2])
    unit = rng.choice([b"[],", b"{},", b'"",', b'"a",', b"0,", b"0.5,", b"[1],", b'{"a":0},', b" "])
    name = rng.choice([b"instances", b"inputs", b"data"])
    size = rng.choice([100_000, 1_100_000, 3_000_000]) // len(unit)
    return Call("bulky JSON", path, b'{"' + name + b'":[' + unit * size + b"0]}")
