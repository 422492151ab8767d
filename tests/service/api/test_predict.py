"""Predictions over HTTP, from a real server process."""

import os
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.zoo.data import digits_splits
from scripts.local_server import LocalServer
from service import Predictor

TEST = digits_splits()[1]
ROWS = TEST.x[:20].tolist()


def predict(client: httpx.Client, name: str = "digits", **body: object) -> dict[str, Any]:
    response = client.post(f"/v1/models/{name}:predict", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def column(answer: dict[str, Any], key: str) -> np.ndarray:
    return np.array([row[key] for row in answer["predictions"]])


def test_first_twenty_digits_are_right_and_have_a_variance(client: httpx.Client) -> None:
    answer = predict(client, instances=ROWS, passes=100)
    assert (column(answer, "mean").argmax(axis=1) == TEST.y[:20]).sum() >= 19
    assert (column(answer, "variance").max(axis=1) > 0).all()
    assert answer["model"] == "digits"
    assert answer["version"] == "1"
    assert answer["passes"] == 100


def test_answer_equals_the_library(client: httpx.Client, digits: Predictor) -> None:
    answer = predict(client, instances=ROWS, passes=50, seed=7)
    wanted = digits.predict(ROWS, passes=50, seed=7)
    np.testing.assert_array_equal(column(answer, "mean"), wanted.mean)
    np.testing.assert_array_equal(column(answer, "variance"), wanted.variance)


def test_returned_seed_reproduces_the_answer(client: httpx.Client) -> None:
    first = predict(client, instances=ROWS[:2])
    again = predict(client, instances=ROWS[:2], seed=first["seed"])
    assert again == first
    assert predict(client, instances=ROWS[:2])["seed"] != first["seed"]


def test_training_off_gives_the_deterministic_output(
    client: httpx.Client, digits: Predictor
) -> None:
    answer = predict(client, instances=ROWS, training=False)
    assert "passes" not in answer
    wanted = digits.predict_deterministic(ROWS)["probabilities"]
    np.testing.assert_array_equal(column(answer, "output"), wanted.astype(np.float64))


def test_inputs_are_columns(client: httpx.Client) -> None:
    by_row = predict(client, instances=ROWS[:3], seed=7)
    named = [{"pixels": row} for row in ROWS[:3]]
    assert predict(client, instances=named, seed=7) == by_row
    for inputs in ({"pixels": ROWS[:3]}, ROWS[:3]):
        outputs = predict(client, inputs=inputs, seed=7)["outputs"]
        for key in ("mean", "variance"):
            assert outputs[key] == [row[key] for row in by_row["predictions"]]


def test_requested_measures_are_returned(client: httpx.Client) -> None:
    names = ["predictive_entropy", "mutual_information"]
    answer = predict(client, instances=ROWS, measures=names)
    assert (column(answer, "predictive_entropy") >= column(answer, "mutual_information")).all()


def test_version_can_be_requested(client: httpx.Client) -> None:
    response = client.post(
        "/v1/models/digits/versions/1:predict", json={"instances": ROWS[:1], "seed": 7}
    )
    assert response.json() == predict(client, instances=ROWS[:1], seed=7)


def test_printed_command_works_when_pasted(server: LocalServer) -> None:
    import json
    import subprocess

    greeting = "".join(server.lines)
    command = greeting[greeting.index("  curl ") :].partition("\n\n")[0]
    assert max(map(len, command.splitlines())) <= 80
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    answer = json.loads(ended.stdout)
    assert answer["model"] == "co2"
    assert answer["predictions"][0]["variance"][0] > 0


def test_model_details_have_inputs_outputs_sites_labels_and_status(client: httpx.Client) -> None:
    details = client.get("/v1/models/digits").json()
    assert details["state"] == "ready"
    assert details["task"] == "classification"
    assert details["labels"] == list("0123456789")
    assert details["inputs"][0]["name"] == "pixels"
    assert details["outputs"][0]["shape"] == [None, 10]
    sites = {site["layer"]: site["rate"] for site in details["sites"]}
    assert sites == {"drop_maps": 0.1, "drop_features": 0.25, "drop_hidden": 0.5}
    assert details["proof"]["site_effects"]["drop_hidden"] > 0
    assert details["providers"] == ["CPUExecutionProvider"]
    assert details["device"]["asked"] == "auto"
    assert details["device"]["got"] == "cpu"
    assert details["device"]["why"].startswith("No GPU can be used")
    plan = details["plan"]
    assert (plan["layout"], plan["rejected"], plan["dead"]) == ("split", {}, [])
    assert 0 < plan["trunk_share"] < 1 < plan["speedup_limit"] < 2
    assert 1 < plan["floor_ratio"] < 2
    assert plan["samples_per_chunk"] == 4096
    assert client.get("/v1/models/digits/versions/1").json() == details


def test_model_list_and_health(client: httpx.Client) -> None:
    models = client.get("/v1/models").json()["models"]
    assert [(m["name"], m["versions"][0]["state"]) for m in models] == [
        ("co2", "ready"),
        ("digits", "ready"),
    ]
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}


def test_docs_and_openapi_are_served(client: httpx.Client) -> None:
    assert "<title>mcdropout</title>" in client.get("/").text
    document = client.get("/openapi.json").json()
    paths = document["paths"]
    assert {"/v1/models/{name}:predict", "/metrics"} <= set(paths)
    errors = paths["/v1/models/{name}:predict"]["post"]["responses"]
    assert {"200", "400", "404", "415", "422", "503"} <= set(errors)
    # Not FastAPI's own form, which is never sent.
    schema = errors["422"]["content"]["application/json"]["schema"]
    assert schema["$ref"].endswith("/Error")
    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.parametrize("rows", [1, 20])
def test_concurrent_requests_do_not_mix(client: httpx.Client, rows: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def ask(seed: int) -> dict[str, object]:
        return predict(client, instances=ROWS[:rows], seed=seed, passes=20)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [*range(8), *range(8)]))
    assert answers[:8] == answers[8:]
    assert len({str(answer) for answer in answers}) == 8


def test_sampling_options_apply_to_one_request(client: httpx.Client, digits: Predictor) -> None:
    options: dict[str, Any] = {"masks": "per_row", "rate_scale": 0.5, "sites": ["drop_hidden"]}
    options |= {"sampling": "stratified", "inner": 3}
    answer = predict(client, instances=ROWS[:3], passes=50, seed=7, **options)
    wanted = digits.predict(ROWS[:3], passes=50, seed=7, **options)
    np.testing.assert_array_equal(column(answer, "mean"), wanted.mean)
    np.testing.assert_array_equal(column(answer, "variance"), wanted.variance)


def test_passes_beyond_the_memory_run_in_chunks(client: httpx.Client, digits: Predictor) -> None:
    answer = predict(client, instances=ROWS[:1], passes=50_000, seed=7)
    wanted = digits.predict(ROWS[:1], passes=50_000, seed=7)
    np.testing.assert_array_equal(column(answer, "mean"), wanted.mean)


def test_disconnected_client_stops_its_passes(server: LocalServer, client: httpx.Client) -> None:
    """A million passes take at least ten seconds; the server stops at the next chunk."""
    body = {"instances": ROWS[:1], "passes": 1_000_000}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/models/digits:predict", json=body, timeout=0.5)
    time.sleep(1.0)
    before = cpu_seconds(server)
    time.sleep(1.0)
    assert cpu_seconds(server) - before < 0.3
    assert client.get("/health/live").status_code == 200


def cpu_seconds(server: LocalServer) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0"])
def test_upgrade_offer_is_ignored(client: httpx.Client, upgrade: str) -> None:
    """Java's client offers HTTP/2 in its first request."""
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": upgrade, "HTTP2-Settings": "A"}
    body = {"instances": ROWS[:1], "seed": 7}
    for _ in range(2):
        response = client.post("/v1/models/digits:predict", json=body, headers=headers)
        assert response.json() == predict(client, **body)


def test_query_options_of_a_json_request_are_not_ignored(client: httpx.Client) -> None:
    response = client.post("/v1/models/digits:predict?passes=5", json={"instances": ROWS[:1]})
    assert response.status_code == 400
    assert response.json()["error"] == (
        "the query string has 'passes', which is allowed there only with rows as bytes; put it "
        "into the "
        "body."
    )
    assert client.post("/v1/models/digits:predict?key=1", json={"instances": ROWS[:1]}).is_success


def test_probes_may_use_head(client: httpx.Client) -> None:
    for path in ("/health/live", "/health/ready"):
        response = client.head(path)
        assert (response.status_code, response.content) == (200, b"")
