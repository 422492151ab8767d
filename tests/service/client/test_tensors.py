"""Binary requests and answers, compared with an independent codec."""

import json

import numpy as np
import pytest

from service.client.errors import ServerFaultError
from service.client.signature import Signature, Tensor, read_signature
from service.client.steps import Reply
from service.client.tensors import decode, encode
from service.protocol.tensors import HEADER
from tests.service.api.protocol import Array, packed, rows_of_all_types
from tests.service.client.scripted import inferred, signature


def reply(body: bytes, header: str | None = None) -> Reply:
    return Reply(200, {} if header is None else {HEADER.lower(): header}, body)


def test_request_equals_that_of_another_client() -> None:
    rows = rows_of_all_types()
    wanted = packed(rows, parameters={"passes": 5})
    body, headers = encode(rows, {"parameters": {"passes": np.int64(5)}})
    start, start_wanted = int(headers[HEADER]), int(wanted["headers"][HEADER])
    assert json.loads(body[:start]) == json.loads(wanted["content"][:start_wanted])
    assert body[start:] == wanted["content"][start_wanted:]


def test_rows_are_sent_little_endian_and_row_major() -> None:
    x = np.arange(6, dtype=">f4").reshape(3, 2).T
    body, headers = encode({"x": x}, {})
    assert body[int(headers[HEADER]) :] == x.astype("<f4").tobytes("C")


def test_answer_is_read_bit_for_bit() -> None:
    rng = np.random.default_rng(1)
    arrays: dict[str, Array] = {
        "mean": rng.normal(size=(3, 2)),
        "y": rng.normal(size=4).astype(np.float32),
    }
    answer = inferred(7, **arrays)
    head, found = decode(reply(answer.body, answer.headers[HEADER]))
    assert head["model_version"] == "3"
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        found[name] += 1  # writable


ONE = inferred(mean=np.ones((2, 2)))


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (b"", None),
        (b"<html>Sign in</html>", None),
        (b"[]", None),
        (b"{}", None),
        (b'{"outputs": [{"name": "y", "shape": [1], "datatype": "FP64", "data": [1]}]}', None),
        (ONE.body, None),
        (ONE.body, "x"),
        (ONE.body, "5"),
        (ONE.body[:-1], ONE.headers[HEADER]),
        (ONE.body[:-8], ONE.headers[HEADER]),
        (ONE.body + b"1", ONE.headers[HEADER]),
        (ONE.body.replace(b"FP64", b"FP32"), ONE.headers[HEADER]),
        (ONE.body.replace(b"FP64", b"FP99"), ONE.headers[HEADER]),
        (ONE.body.replace(b"[2, 2]", b"[3, 2]"), ONE.headers[HEADER]),
    ],
)
def test_invalid_answer_is_a_server_error(body: bytes, header: str | None) -> None:
    with pytest.raises(ServerFaultError, match="the answer is not valid") as caught:
        decode(reply(body, header))
    assert caught.value.status == 200


def test_signature_is_read_in_the_form_of_tensorflow_serving() -> None:
    answer = signature(
        {"a": ("DT_HALF", [-1, 3]), "b": ("DT_INT64", [-1]), "c": ("DT_BOOL", [-1, -1])},
        ["mean", "z"],
    )
    inputs = (
        Tensor("a", "float16", (None, 3)),
        Tensor("b", "int64", (None,)),
        Tensor("c", "bool", (None, None)),
    )
    assert read_signature(reply(answer.body)) == Signature(inputs, ("mean", "z"))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"metadata": []}', signature({}, ["y"]).body])
def test_invalid_signature_is_a_server_error(body: bytes) -> None:
    with pytest.raises(ServerFaultError):
        read_signature(reply(body))
