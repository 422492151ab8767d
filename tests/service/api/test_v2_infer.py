"""Inference by the Open Inference Protocol, from a real server process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.zoo.data import digits_splits
from scripts.local_server import local_server
from service import Predictor, load_model
from service.core.measures import measures_of
from tests.service.api.protocol import (
    HEADER,
    TYPES,
    Array,
    opened,
    packed,
    rows_of_all_types,
    save_all_types,
    tensor,
)

X = digits_splits()[1].x[:20].astype(np.float32)
URL = "/v2/models/digits/infer"


def infer(client: httpx.Client, url: str = URL, **body: Any) -> tuple[dict[str, Any], Any]:
    return opened(client.post(url, json={"inputs": [tensor("pixels", X)], **body}))


def test_answer_equals_that_of_v1(client: httpx.Client) -> None:
    body = {"instances": X.tolist(), "passes": 50, "seed": 7}
    native = client.post("/v1/models/digits:predict", json=body).json()["predictions"]
    answer, arrays = infer(client, parameters={"passes": 50, "seed": 7})
    assert list(arrays) == list(native[0])
    sets = [[label in row["prediction_set"] for label in "0123456789"] for row in native]
    for key, array in arrays.items():
        wanted = sets if key == "prediction_set" else [row[key] for row in native]
        np.testing.assert_array_equal(array, wanted)
    assert answer["parameters"] == {"passes": 50, "seed": 7}
    assert (answer["model_name"], answer["model_version"]) == ("digits", "1")
    assert "id" not in answer
    types = ["FP64", "FP64", "BOOL", "BOOL", "FP64", "BYTES"]
    assert [o["datatype"] for o in answer["outputs"]] == types


@pytest.mark.parametrize("form", ["flat", "nested", "binary"])
def test_every_form_of_rows_gives_the_same_answer(
    client: httpx.Client, digits: Predictor, form: str
) -> None:
    parameters = {"passes": 20, "seed": 7}
    if form == "binary":
        sent = packed({"pixels": X}, parameters=parameters)
    else:
        inputs = [tensor("pixels", X, nested=form == "nested")]
        sent = {"json": {"inputs": inputs, "parameters": parameters}}
    _, arrays = opened(client.post(URL, **sent))
    np.testing.assert_array_equal(arrays["mean"], digits.predict(X, passes=20, seed=7).mean)


def test_numbers_of_another_datatype_are_accepted_if_they_fit(
    client: httpx.Client, digits: Predictor
) -> None:
    wanted = digits.predict(X, passes=20, seed=7).mean
    for dtype in ("uint8", "int64", "float64", "float16"):
        sent = packed({"pixels": X.astype(dtype)}, parameters={"passes": 20, "seed": 7})
        np.testing.assert_array_equal(opened(client.post(URL, **sent))[1]["mean"], wanted)


def test_requested_outputs_are_returned(client: httpx.Client, digits: Predictor) -> None:
    measures = ["mutual_information", "predictive_entropy"]
    names = [measures[0], "probabilities.variance", "mean", measures[1], "probabilities"]
    answer, arrays = infer(
        client, outputs=[{"name": name} for name in names], parameters={"passes": 20, "seed": 7}
    )
    wanted = digits.predict(X, passes=20, seed=7, measures=measures)
    assert list(arrays) == names
    np.testing.assert_array_equal(arrays["mean"], wanted.mean)
    np.testing.assert_array_equal(arrays["probabilities.variance"], wanted.variance)
    for name in measures:
        np.testing.assert_array_equal(arrays[name], wanted.measures[name])
    off = digits.predict_deterministic(X)["probabilities"]
    np.testing.assert_array_equal(arrays["probabilities"], off)
    assert [o["datatype"] for o in answer["outputs"]] == [*["FP64"] * 4, "FP32"]


def test_training_off_is_deterministic(client: httpx.Client, digits: Predictor) -> None:
    wanted = digits.predict_deterministic(X)["probabilities"]
    for rest in ({"parameters": {"training": False}}, {"outputs": [{"name": "probabilities"}]}):
        answer, arrays = infer(client, **rest)
        assert list(arrays) == ["probabilities"]
        np.testing.assert_array_equal(arrays["probabilities"], wanted)
        assert "parameters" not in answer


def test_returned_seed_reproduces_the_answer(client: httpx.Client) -> None:
    first, arrays = infer(client)
    assert first["parameters"]["passes"] == 100
    _, again = infer(client, parameters={"seed": first["parameters"]["seed"]})
    np.testing.assert_array_equal(again["mean"], arrays["mean"])
    assert infer(client)[0]["parameters"]["seed"] != first["parameters"]["seed"]


def test_sampling_options_are_parameters(client: httpx.Client, digits: Predictor) -> None:
    options: dict[str, Any] = {"passes": 50, "seed": 7, "masks": "per_row", "rate_scale": 0.5}
    options |= {"sampling": "stratified", "inner": 3}
    sites = ["drop_hidden", "drop_maps"]
    _, arrays = infer(client, parameters=options | {"sites": ", ".join(sites)})
    wanted = digits.predict(X, **options, sites=sites)
    np.testing.assert_array_equal(arrays["mean"], wanted.mean)
    np.testing.assert_array_equal(arrays["variance"], wanted.variance)


def test_integers_may_be_sent_as_floats(client: httpx.Client) -> None:
    _, whole = infer(client, parameters={"passes": 20, "seed": 7, "rate_scale": 1})
    answer, floats = infer(client, parameters={"passes": 20.0, "seed": 7.0, "rate_scale": 1.0})
    np.testing.assert_array_equal(floats["mean"], whole["mean"])
    assert answer["parameters"] == {"passes": 20, "seed": 7}


def test_id_is_returned(client: httpx.Client) -> None:
    for name in ("42", "", "ü 😀"):
        assert infer(client, id=name)[0]["id"] == name


def test_version_can_be_requested(client: httpx.Client) -> None:
    answer, _ = infer(client, url="/v2/models/digits/versions/1/infer")
    assert answer["model_version"] == "1"


@pytest.mark.parametrize(
    ("all_of_them", "mean", "variance", "binary"),
    [
        (True, None, None, {"mean", "variance"}),
        (True, False, None, {"variance"}),
        (True, False, False, set()),
        (False, True, None, {"mean"}),
        (None, None, True, {"variance"}),
        (None, None, None, set()),
    ],
)
def test_requested_output_is_binary(
    client: httpx.Client,
    all_of_them: bool | None,
    mean: bool | None,
    variance: bool | None,
    binary: set[str],
) -> None:
    def output(name: str, as_bytes: bool | None) -> dict[str, Any]:
        rest = {} if as_bytes is None else {"parameters": {"binary_data": as_bytes}}
        return {"name": name, **rest}

    parameters: dict[str, Any] = {"passes": 20, "seed": 7}
    _, wanted = infer(client, parameters=parameters)
    if all_of_them is not None:
        parameters["binary_data_output"] = all_of_them
    outputs = [output("variance", variance), output("mean", mean)]
    body = {"inputs": [tensor("pixels", X)], "outputs": outputs, "parameters": parameters}
    response = client.post(URL, json=body)
    answer, arrays = opened(response)
    assert {o["name"] for o in answer["outputs"] if "data" not in o} == binary
    kind = "application/octet-stream" if binary else "application/json"
    assert response.headers["Content-Type"] == kind
    assert (HEADER in response.headers) == bool(binary)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, wanted[name])


def test_fields_that_clients_add_change_nothing(client: httpx.Client) -> None:
    unasked = {
        **{"sequence_id": 5, "sequence_start": True, "sequence_end": False, "priority": 1},
        **{"headers": {"a": "b"}, "triton_enable_empty_final_response": True, "timeout": 10**7},
    }
    body = {
        "model_name": "another",
        "inputs": [tensor("pixels", X) | {"parameters": {"content_type": "np"}}],
        "parameters": {"passes": 20, "seed": 7, **unasked},
    }
    _, arrays = opened(client.post(URL, json=body))
    _, wanted = infer(client, parameters={"passes": 20, "seed": 7})
    np.testing.assert_array_equal(arrays["mean"], wanted["mean"])


def test_large_requests_use_threads_and_are_complete(
    client: httpx.Client, digits: Predictor
) -> None:
    """Bodies and answers of more than 64 KiB."""
    rows = np.tile(X, (60, 1))
    wanted = digits.predict(rows, passes=2, seed=7)
    parameters = {"passes": 2, "seed": 7}
    for sent in (
        {"json": {"inputs": [tensor("pixels", rows)], "parameters": parameters}},
        packed({"pixels": rows}, parameters=parameters | {"binary_data_output": True}),
    ):
        _, arrays = opened(client.post(URL, **sent))
        np.testing.assert_array_equal(arrays["mean"], wanted.mean)
        np.testing.assert_array_equal(arrays["variance"], wanted.variance)


@pytest.fixture(scope="module")
def all_types(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Predictor]]:
    """A server of a model that takes every datatype, and the same model without a server."""
    folder = tmp_path_factory.mktemp("models")
    path: Path = folder / "types" / "1" / "model.onnx"
    save_all_types(path)
    with (
        local_server(folder) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        yield client, load_model(path)


def wanted_of_all_types(model: Predictor, rows: dict[str, Array]) -> dict[str, Array]:
    prediction = model.predict(rows, passes=20, seed=7)
    return {
        f"{output}.{key}": getattr(prediction[output], key)
        for output in ("y", "z")
        for key in ("mean", "variance")
    }


def test_every_datatype_is_sent_as_json_and_binary(
    all_types: tuple[httpx.Client, Predictor],
) -> None:
    client, model = all_types
    rows = rows_of_all_types()
    wanted = wanted_of_all_types(model, rows)
    parameters = {"passes": 20, "seed": 7}
    inputs = [tensor(name, array) for name, array in rows.items()]
    for sent in (
        packed(rows, parameters=parameters),
        {"json": {"inputs": inputs, "parameters": parameters}},
        {"json": {"inputs": inputs[::-1], "parameters": parameters}},
    ):
        _, arrays = opened(client.post("/v2/models/types/infer", **sent))
        assert list(arrays) == list(wanted)
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, wanted[name])


def test_binary_and_json_mix_in_one_request(all_types: tuple[httpx.Client, Predictor]) -> None:
    client, model = all_types
    rows = rows_of_all_types()
    mixed = [tensor(name, rows[name]) for name in list(rows)[::2]]
    sent = packed({name: rows[name] for name in list(rows)[1::2]})
    text = sent["content"][: int(sent["headers"][HEADER])]
    tail = sent["content"][len(text) :]
    import json

    body = json.loads(text)
    body["inputs"] = [t for pair in zip(mixed, body["inputs"], strict=True) for t in pair]
    body["parameters"] = {"passes": 20, "seed": 7}
    text = json.dumps(body).encode()
    response = client.post(
        "/v2/models/types/infer", content=text + tail, headers={HEADER: str(len(text))}
    )
    wanted = wanted_of_all_types(model, rows)
    for name, array in opened(response)[1].items():
        np.testing.assert_array_equal(array, wanted[name])


def test_one_of_several_outputs(all_types: tuple[httpx.Client, Predictor]) -> None:
    client, model = all_types
    rows = rows_of_all_types()
    off = model.predict_deterministic(rows)
    outputs = [{"name": "z"}, {"name": "z.mean"}]
    answer, arrays = opened(
        client.post(
            "/v2/models/types/infer",
            **packed(rows, outputs=outputs, parameters={"passes": 20, "seed": 7}),
        )
    )
    assert [o["datatype"] for o in answer["outputs"]] == ["FP64", "FP64"]
    np.testing.assert_array_equal(arrays["z"], off["z"])
    np.testing.assert_array_equal(arrays["z.mean"], wanted_of_all_types(model, rows)["z.mean"])


def test_metadata_of_every_datatype(all_types: tuple[httpx.Client, Predictor]) -> None:
    metadata = all_types[0].get("/v2/models/types").json()
    wanted = [{"name": name, "datatype": name, "shape": [-1, 2]} for name in TYPES]
    assert metadata["inputs"] == wanted
    quantities = ["mean", "variance", *measures_of(all_types[1].terms.widest.facts)]
    assert [(o["name"], o["datatype"]) for o in metadata["outputs"]] == [
        *((f"{output}.{quantity}", "FP64") for output in "yz" for quantity in quantities),
        ("y", "FP32"),
        ("z", "FP64"),
        ("row_passes", "INT64"),
        ("row_settled", "BOOL"),
    ]
