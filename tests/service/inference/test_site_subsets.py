"""Every combination of sites, masks and rows, compared with the model's own graph."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from service.inference.runner import Draws
from service.manifest import SiteSpec
from service.protocol.options import Masks
from tests.conftest import STORE
from tests.service.reference import loaded, own_samples, save

PASSES = 3


def subsets(sites: tuple[SiteSpec, ...]) -> list[frozenset[str]]:
    names = [site.name for site in sites]
    sizes = range(1, len(names) + 1)
    return [frozenset(c) for size in sizes for c in itertools.combinations(names, size)]


@pytest.mark.parametrize("masks", ["shared", "per_row"])
@pytest.mark.parametrize("name", ["co2", "digits"])
def test_samples_of_any_sites_masks_and_rows_equal_the_model(name: str, masks: Masks) -> None:
    artifact, model = loaded(STORE / name / "1" / "model.onnx")
    (spec,) = artifact.manifest.inputs
    x = (
        np.random.default_rng(0)
        .uniform(0, 16, (3, *(size or 1 for size in spec.shape[1:])))
        .astype(np.float32)
    )
    x = x + 1980 if name == "co2" else x
    for sites in subsets(artifact.manifest.sites):
        wanted = own_samples(artifact, {spec.name: x}, PASSES, 7, masks == "per_row", sites)
        for count in (1, 2, 3):
            rows = {spec.name: x[:count]}
            found = model.sampler.sample(rows, PASSES, Draws(7, masks, sites=sites))
            for output, samples in wanted.items():
                np.testing.assert_allclose(
                    found[output], samples[:, :count], rtol=1e-4, atol=1e-5, err_msg=str(sites)
                )


def test_sizes_of_one_name_may_differ(tmp_path: Path) -> None:
    """Another exporter may name two sizes "length"; a request may have two lengths."""
    path = save(
        # The output of a is freed when b begins, each value of which needs at least as much.
        "ka = Dropout(a, half, on) a2 = Exp(ka) a3 = Softmax<axis = 1>(ka) a4 = Add(a3, a2) "
        "sa = ReduceSum<keepdims = 1>(a4, axis) b1 = Mul(b, sa) kb = Dropout(b1, half, on) "
        "b2 = Exp(kb) b3 = Softmax<axis = 1>(b2) b4 = Add(b3, b2) "
        "y = ReduceSum<keepdims = 1>(b4, axis)",
        tmp_path / "model.onnx",
        "float half = {0.5}, bool on = {1}, int64[1] axis = {1}",
        "float[batch, length] a, float[batch, length] b",
        "float[batch, 1] y",
    )
    artifact, model = loaded(path)
    rows = {"a": np.full((2, 3), 0.5, np.float32), "b": np.full((2, 5), 0.1, np.float32)}
    for masks in ("shared", "per_row"):
        found = model.sampler.sample(rows, PASSES, Draws(7, masks))["y"]
        wanted = own_samples(artifact, rows, PASSES, 7, masks == "per_row")["y"]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
