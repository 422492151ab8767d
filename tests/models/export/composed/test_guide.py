"""The draw that docs/new-stochastic-layer.md adds is exported and served."""

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.export import export_model, primitives
from models.export.composed import COMPOSED
from models.export.private_api import gen_stateless_random_ops_v2
from service import load_model
from tests.conftest import ROOT, SIGMAS
from tests.models.export.refusals import Custom


def test_exponential_numbers_of_the_guide_have_their_moments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "new-stochastic-layer.md").read_text()
    (block,) = (b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def gamma" in b)
    names: dict[str, Any] = {"__name__": "guide"}
    exec(block, names)
    assert '(gen_stateless_random_ops_v2, "stateless_random_gamma_v3", gamma)' in text
    row = (gen_stateless_random_ops_v2, "stateless_random_gamma_v3", names["gamma"])
    monkeypatch.setattr(primitives, "COMPOSED", (*COMPOSED, row))
    layer = Custom(lambda x: x * keras.random.gamma(tf.shape(x), 1.0))
    export_model(
        keras.Sequential([keras.Input((4,)), layer]), tmp_path / "model.onnx", task="other"
    )
    passes = 20_000
    found = load_model(tmp_path / "model.onnx").predict(np.ones((1, 4)), passes=passes, seed=1)
    np.testing.assert_allclose(found.mean, 1, atol=SIGMAS / passes**0.5)
    # Var of a sample variance: (kurtosis - 1) / P, the kurtosis being 9.
    np.testing.assert_allclose(found.variance, 1, atol=SIGMAS * (8 / passes) ** 0.5)
