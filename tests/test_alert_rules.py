"""The rules of deploy/alerts.yml, evaluated by Prometheus' own tool where it is installed."""

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")

RULES = ROOT / "deploy" / "alerts.yml"
LABELS = 'model="digits", version="1", measure="std"'
#: Shares of the calibration's rows, and values of the answers per minute; one bin is empty.
EXPECTED, VALUES = {"0.1": 0.5, "0.2": 0.3, "+Inf": 0.2}, {"0.1": 0, "0.2": 30, "+Inf": 10}


def series(rows: int = 1000) -> list[dict[str, str]]:
    """Of a model with a calibration of so many rows."""
    of_rows = 'mcdropout_calibration_rows{model="digits", version="1"}'
    found = [{"series": of_rows, "values": f"{rows}x120"}]
    for up_to, share in EXPECTED.items():
        labels = f'{{{LABELS}, up_to="{up_to}"}}'
        name = f"mcdropout_expected_measure_ratio{labels}"
        found.append({"series": name, "values": f"{share}x120"})
        name = f"mcdropout_measure_values_total{labels}"
        found.append({"series": name, "values": f"0+{VALUES[up_to]}x120"})
    for accept, number in (("true", 30), ("false", 10)):
        labels = f'{{model="digits", version="1", accept="{accept}"}}'
        found.append({"series": f"mcdropout_decisions_total{labels}", "values": f"0+{number}x120"})
    expected = 'mcdropout_expected_abstention_ratio{model="digits", version="1"}'
    return [*found, {"series": expected, "values": "0.1x120"}]


def evaluated(expression: str, labels: str, value: float) -> dict[str, Any]:
    return {
        "expr": expression,
        "eval_time": "100m",
        "exp_samples": [{"labels": labels, "value": value}],
    }


def run(*arguments: str | Path) -> str:
    done = subprocess.run([str(PROMTOOL), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_are_valid() -> None:
    assert "SUCCESS" in run("check", "rules", RULES)


def firing(name: str, labels: str) -> dict[str, Any]:
    found = f'ALERTS{{alertname="{name}", alertstate="firing", {labels}, severity="warning"}}'
    return evaluated(f'ALERTS{{alertname="{name}", alertstate="firing"}}', found, 1)


def silent(expression: str) -> dict[str, Any]:
    return {"expr": expression, "eval_time": "100m", "exp_samples": []}


def check(tmp_path: Path, input_series: list[dict[str, str]], tests: list[dict[str, Any]]) -> None:
    case = {"interval": "1m", "input_series": input_series, "promql_expr_test": tests}
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [case]}))
    assert "SUCCESS" in run("test", "rules", file)


def index() -> float:
    """The population stability index of `VALUES`."""
    total = sum(VALUES.values())
    pairs = [(max(VALUES[up_to] / total, 0.001), share) for up_to, share in EXPECTED.items()]
    return sum((a - e) * math.log(a / e) for a, e in pairs)


def test_rules_compute_the_index_and_the_share_of_abstentions(tmp_path: Path) -> None:
    plain = '{model="digits", version="1"}'
    rounded = f"round(mcdropout:measure_psi:1h{{{LABELS}}}, 0.000001)"
    # Three bins, 40 values a minute: 2 degrees of freedom and a standard deviation of √4.
    chance = (2 + 4.5 * 2) * (1 / 2400 + 1 / 1000)
    tests = [
        evaluated(rounded, f"{{{LABELS}}}", round(index(), 6)),
        evaluated(
            "round(mcdropout:measure_psi_by_chance:1h, 0.000001)", f"{{{LABELS}}}", round(chance, 6)
        ),
        evaluated("round(mcdropout:abstention_ratio:1h, 0.000001)", plain, 0.25),
        firing("MCDropoutMeasureDrift", LABELS),
        firing("MCDropoutAbstains", 'model="digits", version="1"'),
    ]
    check(tmp_path, series(), tests)


def test_what_chance_explains_raises_no_alert(tmp_path: Path) -> None:
    """Of three rows, whose index is above 0.25 by far."""
    assert 0.25 < index() < (2 + 4.5 * 2) / 3
    check(tmp_path, series(3), [silent('ALERTS{alertname=~"MCDropout(MeasureDrift|Abstains)"}')])


def test_bins_of_the_calibration_before_are_not_counted(tmp_path: Path) -> None:
    labels = f'{{{LABELS}, up_to="0.15"}}'
    old = {"series": f"mcdropout_measure_values_total{labels}", "values": "0+1000x80 _x40"}
    rounded = f"round(mcdropout:measure_psi:1h{{{LABELS}}}, 0.000001)"
    tests = [evaluated(rounded, f"{{{LABELS}}}", round(index(), 6))]
    check(tmp_path, [*series(), old], tests)
