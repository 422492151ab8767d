"""Dashboard, alerts, compose file and guide refer to existing metrics, labels, files and users.

Each expression is parsed into metrics and labels, which must exist in the metrics of a real
server.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from scripts.local_server import local_server
from service.server.settings import CONFIG, PREFIX, Settings, read_settings
from tests.conftest import ROOT
from tests.service.calibration.models import save_calibrated
from tests.test_deployment import stage

DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "mcdropout.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
GUIDE = (ROOT / "docs" / "operations.md").read_text()
#: Labels that Prometheus adds to scraped metrics.
ADDED = {"job", "instance"}
_WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "offset", "bool"}


def yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path)


COMPOSE = yaml(ROOT / "docker-compose.yml")
SERVICES: dict[str, Any] = COMPOSE["services"]
RULES = [rule for group in yaml(DEPLOY / "alerts.yml")["groups"] for rule in group["rules"]]
#: Name of each recorded series to its expression.
RECORDED: dict[str, str] = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}


def expressions() -> list[str]:
    return [
        *(target["expr"] for panel in PANELS for target in panel["targets"]),
        *(rule["expr"] for rule in RULES),
    ]


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric of a PromQL expression, and its label selectors."""
    text = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", " ", expression)
    text = re.sub(r"\[[^\]]*\]", " ", text)
    for found in re.finditer(r"(?<![\w.])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\}|\()?", text):
        name, what = found[1], found[2] or ""
        if what != "(" and name not in _WORDS:
            yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", what))


def grouped_by(expression: str) -> set[str]:
    lists = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression)
    return {label.strip() for found in lists for label in found.split(",")}


def labels_of(expression: str, series: dict[str, set[str]]) -> set[str]:
    """All labels of the metrics of an expression, also by way of recorded series."""
    found = set(ADDED)
    for name, _ in selectors(expression):
        found |= labels_of(RECORDED[name], series) if name in RECORDED else series[name]
    return found


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a server with calibrated models."""
    store = tmp_path_factory.mktemp("models")
    for name in ("digits", "co2"):
        save_calibrated(store, name)
    with (
        local_server(store) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
    ):
        yield http


@pytest.fixture(scope="module")
def families(client: httpx.Client) -> list[Any]:
    """The metrics of a server that has answered requests for both kinds of model."""
    for name, row in (("digits", [0.0] * 64), ("co2", [1985.0])):
        answer = client.post(f"/v1/models/{name}:predict", json={"instances": [row]})
        assert answer.status_code == 200
    deadline = time.monotonic() + 10
    while True:  # counted shortly after the answer
        text = client.get("/metrics").text
        if "mcdropout_predictive_standard_deviation_bucket" in text:
            return list(text_string_to_metric_families(text))
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def series(families: list[Any]) -> dict[str, set[str]]:
    """Name of each series to its labels."""
    found: dict[str, set[str]] = {"up": set()}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_selectors_finds_metrics_and_their_labels() -> None:
    text = 'sum by (le) (rate(a_total{x="y z", b=~"c"}[5m] offset 1w)) / d and up == 0'
    assert list(selectors(text)) == [("a_total", {"x", "b"}), ("d", set()), ("up", set())]


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_and_label_of_an_expression_exists(
    expression: str, series: dict[str, set[str]]
) -> None:
    found = list(selectors(expression))
    assert found
    for name, selected in found:
        if name not in RECORDED:
            assert name in series
            assert selected <= series[name] | ADDED
    assert grouped_by(expression) <= labels_of(expression, series)


def test_the_guide_lists_every_metric_with_its_type_and_labels(families: list[Any]) -> None:
    rows = re.findall(r"^\| `(mcdropout_\w+)` \| (\w+) \|([^|]*)\|", GUIDE, re.MULTILINE)
    listed = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows}
    there = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in families
        if family.name.startswith("mcdropout_")
    }
    assert listed == there


def test_names_of_the_guide_exist(series: dict[str, set[str]]) -> None:
    for name in re.findall(r"\bmcdropout_[a-z_]+[a-z]\b", GUIDE):
        assert any(found.startswith(name) for found in series), name


def test_settings_of_the_guide_exist() -> None:
    known = {CONFIG, *(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)}
    for path in ("docs/operations.md", "SECURITY.md", "deploy/alerts.yml", "docker-compose.yml"):
        named = set(re.findall(r"\bMCDROPOUT_[A-Z_]+[A-Z]\b", (ROOT / path).read_text()))
        # Kubernetes derives these variables from a service's name.
        assert named - {"MCDROPOUT_SERVICE_HOST"} <= known, path


def test_settings_file_of_the_guide_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    file = tmp_path / "mcdropout.toml"
    file.write_text(text)
    monkeypatch.setenv(CONFIG, str(file))
    assert read_settings().max_queue == 128
    monkeypatch.setenv("MCDROPOUT_MAX_QUEUE", "64")
    assert read_settings().max_queue == 64


def test_panels_have_titles_and_descriptions() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)


def test_panels_do_not_overlap() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_dashboard_and_data_source_agree() -> None:
    (source,) = yaml(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["current"]["value"] == source["uid"]
    assert variables["datasource"]["query"] == source["type"]
    for panel in PANELS:
        for target in panel["targets"]:
            assert target["datasource"] == {"type": source["type"], "uid": "${datasource}"}
            named = set(re.findall(r"\$(\w+)", target["expr"]))
            assert named <= {"__rate_interval", *variables}


def test_every_alert_has_a_description_and_a_severity() -> None:
    for rule in RULES:
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert rule["for"]
            assert set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.parametrize("name", SERVICES)
def test_containers_have_minimal_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert int(service["user"].partition(":")[0]) > 0
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert {"mem_limit", "pids_limit"} <= set(service)
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_built_or_pinned_and_have_health_checks(name: str) -> None:
    service = SERVICES[name]
    if "build" in service:
        # The image has its own health check.
        assert stage(service["build"]["target"]) is not None
        assert ("USER", service["user"]) in stage("runtime")
    else:
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
        assert service["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_mounted_files_exist(name: str) -> None:
    for volume in SERVICES[name]["volumes"]:
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
        if source.startswith("."):
            assert volume.endswith(":ro")
            assert (ROOT / source).exists()
        else:
            assert source in COMPOSE["volumes"]


def test_grace_period_covers_in_flight_requests() -> None:
    grace = Settings.model_fields["grace"].default
    for name in ("server", "server-gpu"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > grace + 5


def test_prometheus_scrapes_the_server_that_runs() -> None:
    def aliases(service: Mapping[str, Any]) -> list[str]:
        return list(service["networks"]["default"]["aliases"])

    config = yaml(DEPLOY / "prometheus.yml")
    (targets,) = (s["targets"] for job in config["scrape_configs"] for s in job["static_configs"])
    (environment,) = (rest for instruction, rest in stage("runtime") if instruction == "ENV")
    port = dict(pair.split("=") for pair in environment.split())["MCDROPOUT_PORT"]
    for name in ("server", "server-gpu"):
        assert targets == [f"{alias}:{port}" for alias in aliases(SERVICES[name])]
    # It must not start the CPU server in addition.
    assert "depends_on" not in SERVICES["prometheus"]
    for file in config["rule_files"]:
        mounted = [volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]]
        assert f"/etc/prometheus/{file}" in mounted
