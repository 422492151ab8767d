# mypy: ignore-errors
"""Export small PyTorch models as people do, with what PyTorch itself gives for them.

The project does not depend on PyTorch. To make the files again:

    python3.11 -m venv .venv-torch
    .venv-torch/bin/pip install torch==2.13.0 onnx onnxscript numpy
    .venv-torch/bin/python tests/data/torch/generate.py

Each `NAME.npz` holds `x` (4 rows), `y_eval` (PyTorch's output in eval mode), and of the
first 2 rows the mean and unbiased variance over `mc_passes` passes with the dropout in
train mode and everything else in eval mode: `mc_mean`, `mc_variance`.

What the exporters of PyTorch 2.13 make of dropout:

- `dynamo=False`, training=PRESERVE or TRAINING, dropout modules in train mode: a Dropout
  with its rate and training_mode=True as constants. Below opset 12 the operator has no
  training_mode, and the Dropout is written nevertheless: off (`mlp_legacy_opset11`).
- In eval mode no Dropout is left, with PRESERVE neither (`mlp_legacy_eval`).
- `dynamo=True`, which is the default, ignores `training` and goes by the modules' mode: a
  Dropout with both as initializers (`mlp_dynamo`). By default it puts the weights into a
  second file; external_data=False does not.
- nn.Dropout2d: `dynamo=False` refuses (feature_dropout in training mode). `dynamo=True`
  writes RandomUniformLike, Less and Div, without a switch (`cnn_dynamo`).
- nn.LSTM(dropout=...): `dynamo=False` refuses, so that people write the layers apart with
  nn.Dropout between them (`lstm_legacy`). `dynamo=True` writes a Dropout between them whose
  batch is on axis 1 (`lstm_dynamo`).
- Attention: `dynamo=False` writes the dropout of the attention weights without
  training_mode, off, beside the others that are on (`encoder_legacy`, whose npz has
  `mc_mean_as_exported` and `mc_variance_as_exported` for that). nn.TransformerEncoderLayer
  by itself it cannot export, inside nn.TransformerEncoder it can. `dynamo=True` leaves the
  dropout of the attention weights out altogether (not kept here).
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

HERE = Path(__file__).resolve().parent
PASSES = 20_000
ROWS = 4
_DROPOUT = (nn.Dropout, nn.Dropout2d)


class RecurrentByLayers(nn.Module):
    """Two LSTM layers with a dropout between them, and a head on the last step."""

    def __init__(self):
        super().__init__()
        self.first = nn.LSTM(3, 8, batch_first=True)
        self.dropout = nn.Dropout(0.4)
        self.second = nn.LSTM(8, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.second(self.dropout(self.first(x)[0]))[0][:, -1])


class Recurrent(nn.Module):
    """The same network with the dropout inside nn.LSTM."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 8, num_layers=2, batch_first=True, dropout=0.4)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def mlp():
    return nn.Sequential(
        *(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(16, 16), nn.ReLU(), nn.Dropout(0.3)),
        nn.Linear(16, 3),
    )


def cnn(first_dropout):
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), first_dropout),
        *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4 * 6 * 6, 3)),
    )
    with torch.no_grad():  # statistics as if the normalization were trained
        model[1].running_mean.uniform_(-0.5, 0.5)
        model[1].running_var.uniform_(0.5, 2.0)
    return model


def encoder():
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
    return nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)


def dropout_on(model):
    """Set dropout modules to train mode, and all other modules to eval mode.

    nn.LSTM and nn.MultiheadAttention apply dropout themselves, and nothing else in them depends
    on the mode.
    """
    model.eval()
    for module in model.modules():
        if isinstance(module, (*_DROPOUT, nn.LSTM)):
            module.train()
        if isinstance(module, nn.MultiheadAttention):
            module.training = True
        if isinstance(module, nn.TransformerEncoderLayer):
            module.training = True  # otherwise it takes a fast path without dropout
    return model


def export(model, name, x, dynamo=False, dynamic=True, **options):
    common = {"input_names": ["x"], "output_names": ["y"], "dynamo": dynamo}
    if dynamo:
        common |= {"external_data": False, "verbose": False}
        common |= {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if dynamic else {}
    else:
        common |= {"do_constant_folding": False}
        common |= {"training": torch.onnx.TrainingMode.PRESERVE}
        common |= {"dynamic_axes": {"x": {0: "batch"}, "y": {0: "batch"}}} if dynamic else {}
    path = HERE / f"{name}.onnx"
    torch.onnx.export(model, (x,), str(path), **common | options)
    exported = onnx.load(path)
    for node in exported.graph.node:  # metadata about the code contains paths of the machine
        del node.metadata_props[:]
    onnx.save(exported, path)


@torch.no_grad()
def facts(model, x):
    """Outputs and moments as the module's docstring says; the passes are rows of large batches."""
    y_eval = model.eval()(x).numpy()
    mean, variance = monte_carlo(dropout_on(model), x[:2])
    return {
        "x": x.numpy(),
        "y_eval": y_eval,
        "mc_mean": mean,
        "mc_variance": variance,
        "mc_passes": PASSES,
    }


@torch.no_grad()
def monte_carlo(model, x, at_once=1000):
    samples = [
        model(x.repeat(at_once, *[1] * (x.ndim - 1))).reshape(at_once, *x.shape[:1], -1)
        for _ in range(PASSES // at_once)
    ]
    passes = torch.cat(samples).double().numpy().reshape(PASSES, *model(x).shape)
    return passes.mean(0), passes.var(0, ddof=1)


def make(name, model, x, more=None, **options):
    """Export `model` and store its facts; `more` writes further files from the model."""
    kept = facts(model, x) | (more(model, x) if more else {})
    export(dropout_on(model), name, x[: 1 if options.get("dynamic") is False else 2], **options)
    np.savez_compressed(HERE / f"{name}.npz", **kept)


@torch.no_grad()
def without_attention_dropout(model, x):
    attention = model.layers[0].self_attn
    rate, attention.dropout = attention.dropout, 0.0
    mean, variance = monte_carlo(dropout_on(model), x[:2])
    attention.dropout = rate
    return {"mc_mean_as_exported": mean, "mc_variance_as_exported": variance}


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    perceptron, features = mlp(), torch.randn(ROWS, 4)
    make("mlp_legacy", perceptron, features)
    make("mlp_legacy_opset11", perceptron, features, opset_version=11)
    make("mlp_dynamo", perceptron, features, dynamo=True)
    export(perceptron.eval(), "mlp_legacy_eval", features[:2])
    images, steps = torch.randn(ROWS, 1, 6, 6), torch.randn(ROWS, 5, 3)
    make("cnn_fixed_batch", cnn(nn.Dropout(0.25)), images, dynamic=False)
    make("cnn_dynamo", cnn(nn.Dropout2d(0.25)), images, dynamo=True)
    make("lstm_legacy", RecurrentByLayers(), steps)
    make("lstm_dynamo", Recurrent(), steps, dynamo=True)
    make("encoder_legacy", encoder(), torch.randn(ROWS, 5, 16), more=without_attention_dropout)


if __name__ == "__main__":
    main()
