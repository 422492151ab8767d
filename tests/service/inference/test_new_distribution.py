"""A distribution is one file and one entry of the registry; nothing else names it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import DTypeLike

from service import load_model
from service.core.distributions import BY_KIND, Distribution, Operator, PopulationMoments
from service.core.distributions.uniform import Uniform
from service.core.streams import Stream
from service.manifest import METADATA_KEY
from tests.conftest import SIGMAS
from tests.service.graph.adopt.foreign import adopted, graph


class Signed(Distribution):
    """Uniform on [-1, 1); in contrast to `Uniform`, its midpoint is 0."""

    kinds = ("signed",)
    operator = Operator("RandomUniformLike", {"low": -1.0, "high": 1.0})
    neutral = 0.0
    probes = (-1.0, 0.5)

    def row(
        self, stream: Stream, shape: Sequence[int], dtype: DTypeLike, rate: float | None = None
    ) -> Any:
        return Uniform().row(stream, shape, dtype) * 2 - 1

    def stratified(
        self, stream: Stream, shape: Sequence[int], dtype: DTypeLike, rate: float | None = None
    ) -> Any:
        return Uniform().stratified(stream, shape, dtype) * 2 - 1

    def moments(self, rate: float | None = None) -> PopulationMoments:
        return PopulationMoments(mean=0.0, variance=1 / 3, kurtosis=1.8)


def save(path: Path) -> Path:
    """Save a model of a dropout and this noise, as if it had been exported."""
    own = adopted(graph("[d] h = Dropout(x, half, on) [n] z = RandomUniformLike(h) y = Add(h, z)"))
    manifest = own.manifest.model_copy(
        update={
            "sites": tuple(
                site.model_copy(update={"kind": "signed"}) if site.name == "n" else site
                for site in own.manifest.sites
            )
        }
    )
    proto = ir.to_proto(own.model)
    (node,) = (node for node in proto.graph.node if node.name == "n")
    del node.attribute[:]
    node.attribute.extend(onnx.helper.make_attribute(*item) for item in Signed.operator[1].items())
    onnx.helper.set_model_props(proto, {METADATA_KEY: manifest.model_dump_json()})
    onnx.save(proto, path)
    return path


def test_registered_distribution_is_drawn_verified_and_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BY_KIND, "signed", Signed())
    model = load_model(save(tmp_path / "model.onnx"))
    assert model.proof.noise["n"] == pytest.approx((0.0, math.sqrt(1 / 3)), abs=0.02)
    passes = 20_000
    found = model.predict(np.ones((1, 4)), passes=passes, seed=1)
    # A dropout of 0.5 on ones has variance 1, and fourth central moment 1.
    variance, error = 1 + 1 / 3, SIGMAS * math.sqrt(2 / passes) * (1 + 1 / 3)
    np.testing.assert_allclose(found.variance, variance, atol=error)
    dropout = model.predict(np.ones((1, 4)), passes=passes, seed=1, sites=["d"])
    np.testing.assert_allclose(dropout.variance, 1.0, atol=error)
