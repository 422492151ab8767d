"""From a Keras model to answers that are accepted or not, with the promised risk on new rows."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom, binom
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from mcdropout.__main__ import main
from scripts.local_server import local_server
from service.calibration.document import CalibrationDocument
from service.graph.beside import read_calibration

LABELS = ("malignant", "benign")
#: Rows that train, that calibrate, and that nothing has seen.
TRAIN, VALID = 250, 160
RISK, COVERAGE = 0.03, 0.9
#: The probability with which a check fails by chance is below this.
CHANCE = 1e-6


@pytest.fixture(scope="module")
def tables() -> list[pd.DataFrame]:
    """Tables of named columns with a label as text, of training, calibration and new rows."""
    found = load_breast_cancer(as_frame=True)
    table = found.data.assign(diagnosis=np.array(LABELS)[found.target])
    train, rest = train_test_split(table, train_size=TRAIN, random_state=0)
    return [train, *train_test_split(rest, train_size=VALID, random_state=0)]


@pytest.fixture(scope="module")
def keras_file(tables: Sequence[pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras

    keras.utils.set_random_seed(1)
    x = tables[0].drop(columns="diagnosis").to_numpy()
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((30,), name="cells"),
            layers.Normalization(mean=x.mean(axis=0), variance=x.var(axis=0)),
            layers.Dense(32, "relu"),
            layers.Dropout(0.3),
            layers.Dense(1, "sigmoid", name="diagnosis_is_benign"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(x, (tables[0].diagnosis == "benign").to_numpy(), epochs=20, verbose=0)
    path = tmp_path_factory.mktemp("keras") / "cells.keras"
    model.save(path)
    return path


def mcdropout(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    assert ended.value.code == 0


@pytest.mark.slow
def test_accepted_answers_of_a_served_model_keep_their_risk(
    keras_file: Path,
    tables: Sequence[pd.DataFrame],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [tmp_path / f"{name}.csv" for name in ("train", "valid")]
    for table, file in zip(tables[:2], files, strict=True):
        table.to_csv(file, index=False)
    train, valid = files
    targets, model = ("--target", "diagnosis"), tmp_path / "store" / "cells" / "1" / "model.onnx"
    labels = ("--labels", ",".join(LABELS))
    mcdropout(
        *("export", keras_file, "--output", model.parent, *labels),
        *("--training-data", train, *targets),
    )
    mcdropout("calibrate", model, "--data", valid, *targets, "--target-risk", RISK)
    assert "with which the model was trained" not in capsys.readouterr().err
    few = ("--passes", 50, "--bootstrap", 0, "--rate-scale", "")
    mcdropout("evaluate", model, "--data", train, *targets, *few)
    said = " ".join(capsys.readouterr().out.split())
    assert "100 % of the rows of train.csv are among those of train.csv" in said
    document = read_calibration(model)
    assert document is not None
    rows = tables[2].drop(columns="diagnosis").to_numpy().tolist()
    with local_server(model.parents[2]) as server, httpx.Client(base_url=server.url) as http:
        asked = {"instances": rows, "seed": 7}
        answer = http.post("/v1/models/cells:predict", json=asked, timeout=60).json()
        metrics = http.get("/metrics").text
    check_answers(answer["predictions"], [*tables[2].diagnosis], document)
    accepted = sum(one["accept"] for one in answer["predictions"])
    labeled = 'mcdropout_decisions_total{accept="true",model="cells",version="1"}'
    assert f"{labeled} {float(accepted)}\n" in metrics


def check_answers(
    answers: Sequence[dict[str, object]], truth: Sequence[str], document: CalibrationDocument
) -> None:
    """Check decisions, their risk, and the coverage of sets, from the answers alone."""
    p = np.array([one["mean"] for one in answers], np.float64)[:, 0]
    both = np.stack([1 - p, p], axis=1)
    entropy = -np.sum(both * np.log(np.maximum(both, 1e-300)), axis=1)
    accepted = np.array([one["accept"] for one in answers])
    chosen = document.selection
    assert chosen is not None
    assert np.array_equal(accepted, entropy <= chosen.threshold)
    assert 0.5 * len(truth) < accepted.sum() < len(truth)
    wrong = np.array([one["label"] for one in answers]) != np.array(truth)
    # A model whose risk is the target makes more errors than this by chance alone.
    assert wrong[accepted].sum() <= binom.isf(CHANCE, accepted.sum(), RISK)
    # And the answers that were not accepted are those that err more.
    assert wrong[accepted].mean() < wrong[~accepted].mean()
    covered = sum(label in one["prediction_set"] for label, one in zip(truth, answers, strict=True))  # type: ignore[operator]
    # Split-conformal coverage of new rows is beta-binomial (Vovk 2012), or above.
    held = VALID - VALID // 2
    rank = int(np.ceil((held + 1) * COVERAGE))
    assert covered >= betabinom.ppf(CHANCE, len(truth), rank, held + 1 - rank)
