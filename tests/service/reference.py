"""A second implementation of a plan's samples: the model's own graph, one row and pass at a time.

It uses the same random numbers as the plan but no graph transformation: each site becomes a
multiplication by an input.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from service import Predictor, load_model
from service.core.block_sum import Coupled
from service.core.distributions import BY_KIND
from service.core.moments import Moments
from service.graph.artifact import Artifact, find_sites, read_artifact
from service.graph.plan import serialize
from service.inference.jobs import SampleJob
from service.inference.runner import Draws, Rows
from service.inference.sampler import Sampler
from service.manifest import TRAINING_INPUT, is_dropout
from service.runtime.engine import CPU, Engine


def save(body: str, path: Path, constants: str, inputs: str, outputs: str, opset: int = 18) -> Path:
    """Write a model with the nodes `body`, in ONNX's text form."""
    text = (
        f'<ir_version: 9, opset_import: ["": {opset}, "ai.onnx.ml": 2]>\n'
        f"g ({inputs}) => ({outputs}) <{constants}> {{ {body} }}"
    )
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def moments_of(job: SampleJob) -> dict[str, Moments]:
    """Output name to the moments of all rows of a finished job, with the same passes."""
    found = {}
    for name in (source for source in job.found[0].summaries if isinstance(source, str)):
        blocks = [part.summaries[name].moments for part in job.found]
        mean, m2 = (np.concatenate([getattr(b, part) for b in blocks]) for part in ("mean", "m2"))
        coupled = [b.coupled for b in blocks if b.coupled is not None]
        both = [np.concatenate(part) for part in zip(*coupled, strict=True)]
        found[name] = Moments(blocks[0].count, mean, m2, Coupled(*both) if both else None)
    return found


def sample_moments(sampler: Sampler, rows: Rows, passes: int, draws: Draws) -> dict[str, Moments]:
    """Output name to the moments of passes over rows, run alone."""
    job = SampleJob(rows, passes, draws)
    for _ in sampler.run([job]):
        pass
    return moments_of(job)


def own_samples(
    artifact: Artifact,
    rows: dict[str, NDArray[Any]],
    passes: int,
    seed: int,
    per_row: bool,
    sites: Collection[str] | None = None,
) -> dict[str, NDArray[Any]]:
    """Output name to (P, B, …) samples of a model of dropouts, of which `sites` are active."""
    engine = _with_masks(artifact)
    names = [spec.name for spec in artifact.manifest.outputs]
    count = len(next(iter(rows.values())))
    found: dict[str, Any] = {name: [[None] * count for _ in range(passes)] for name in names}
    for row in range(count):
        feeds = {name: x[row : row + 1] for name, x in rows.items()}
        feeds[TRAINING_INPUT] = np.array(False)
        feeds = {name: x for name, x in feeds.items() if name in engine.inputs}
        feeds |= {f"mask:{s.name}": np.ones((), s.dtype) for s in artifact.manifest.sites}
        shapes = engine.run(feeds)
        for index in range(passes):
            for number, site in enumerate(artifact.manifest.sites):
                if sites is not None and site.name not in sites:
                    continue
                shape = shapes[f"shape:{site.name}"].tolist()
                one, at = range(index, index + 1), range(row * per_row, row * per_row + 1)
                kept, scale = BY_KIND[site.kind].draw(
                    seed, number, one, at, shape, dtype=site.dtype, rate=site.rate
                )
                mask = kept[0, 0] * scale
                feeds[f"mask:{site.name}"] = mask.astype(site.dtype)
            answer = engine.run(feeds, names)
            for name, y in answer.items():
                found[name][index][row] = y[0]
    return {name: np.array(samples) for name, samples in found.items()}


def _with_masks(artifact: Artifact) -> Engine:
    """The model with each dropout replaced by a multiplication by an input of known shape."""
    model = artifact.model.clone()
    for site, node in find_sites(model, artifact.manifest, "the reference").items():
        if not is_dropout(site):
            raise NotImplementedError("the reference knows dropout alone")
        kind = ir.TensorType(ir.DataType.from_numpy(np.dtype(site.dtype)))
        mask = ir.Value(name=f"mask:{site.name}", type=kind)
        model.graph.inputs.append(mask)
        shape = ir.node("Shape", [node.inputs[0]], name=f"shape:{site.name}")
        shape.outputs[0].name = shape.name
        shape.outputs[0].type = ir.TensorType(ir.DataType.INT64)
        model.graph.outputs.append(shape.outputs[0])
        mul = ir.node("Mul", [node.inputs[0], mask], name=f"{site.name}/mul")
        model.graph.insert_before(node, [shape, mul])
        before, after = node.outputs[0], mul.outputs[0]
        after.type, after.shape = before.type, before.shape
        before.name, after.name = f"{before.name}/plain", before.name
        before.replace_all_uses_with(after, replace_graph_outputs=True)
        model.graph.remove(node, safe=True)
    return Engine(serialize(model), [CPU])


def loaded(path: Path) -> tuple[Artifact, Predictor]:
    """The model at `path`, as a graph and as a predictor."""
    return read_artifact(path), load_model(path)
