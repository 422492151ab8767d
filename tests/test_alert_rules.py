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


def series() -> list[dict[str, str]]:
    found = []
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


def test_rules_compute_the_index_and_the_share_of_abstentions(tmp_path: Path) -> None:
    pairs = [
        (max(VALUES[up_to] / sum(VALUES.values()), 0.001), share)
        for up_to, share in EXPECTED.items()
    ]
    index = sum((a - e) * math.log(a / e) for a, e in pairs)
    plain = '{model="digits", version="1"}'
    rounded = f"round(mcdropout:measure_psi:1h{{{LABELS}}}, 0.000001)"
    tests = [
        evaluated(rounded, f"{{{LABELS}}}", round(index, 6)),
        evaluated(
            "round(mcdropout:abstention_ratio:1h, 0.000001)",
            plain,
            0.25,
        ),
    ]
    case = {"interval": "1m", "input_series": series(), "promql_expr_test": tests}
    firing = [
        evaluated(f'ALERTS{{alertname="{name}", alertstate="firing"}}', labels, 1)
        for name, labels in (
            (
                "MCDropoutMeasureDrift",
                f'ALERTS{{alertname="MCDropoutMeasureDrift", alertstate="firing", {LABELS}, '
                'severity="warning"}',
            ),
            (
                "MCDropoutAbstains",
                'ALERTS{alertname="MCDropoutAbstains", alertstate="firing", model="digits", '
                'version="1", severity="warning"}',
            ),
        )
    ]
    case["promql_expr_test"] = [*tests, *firing]
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [case]}))
    assert "SUCCESS" in run("test", "rules", file)
