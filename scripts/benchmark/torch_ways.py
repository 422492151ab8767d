"""PyTorch, if it is installed; this project does not need it."""

import importlib
from importlib.util import find_spec
from typing import Any

import keras
import numpy as np

from scripts.benchmark.networks import Network
from scripts.benchmark.ways import Array, Call, Kind, Moments, Way, moments, without

NAME = "torch_tiled"
#: The networks that `_modules` can build.
KNOWN = ("dense", "cnn")


def torch_way(network: Network) -> Way:
    """The network with the same layers and weights in PyTorch, if it is installed."""
    if network.name not in KNOWN:
        return without(NAME, f"only {' and '.join(KNOWN)} are written for PyTorch")
    if find_spec("torch") is None:
        return without(NAME, "torch is not installed")
    return Way(NAME, torch_tiled(network.model), Kind.TILED)


def torch_tiled(model: keras.Model) -> Call:
    """Modules in training mode, without gradients, on rows tiled by pass."""
    torch: Any = importlib.import_module("torch")
    image = len(model.input_shape) == 4
    modules = [module for layer in model.layers for module in _modules(torch, layer)]
    network = torch.nn.Sequential(*modules).train()

    def call(x: Array, passes: int) -> Moments:
        with torch.inference_mode():
            tensor = torch.from_numpy(x)
            tensor = tensor.repeat(passes, *(1 for _ in x.shape[1:]))
            if image:  # channels first, as a view: convolutions are faster on this memory layout
                tensor = tensor.permute(0, 3, 1, 2)
            samples: Array = network(tensor).numpy()
        return moments(samples, passes)

    return call


def _modules(torch: Any, layer: Any) -> list[Any]:
    """PyTorch modules for a Keras layer, with its weights."""
    nn = torch.nn
    match type(layer).__name__:
        case "Dense":
            kernel, bias = layer.get_weights()
            return [_load(torch, nn.Linear(*kernel.shape), kernel.T, bias), *_activation(nn, layer)]
        case "Conv2D":
            kernel, bias = layer.get_weights()
            height, width, *channels = kernel.shape
            conv = nn.Conv2d(*channels, (height, width)).to(memory_format=torch.channels_last)
            conv = _load(torch, conv, kernel.transpose(3, 2, 0, 1), bias)
            return [conv, *_activation(nn, layer)]
        case "MaxPooling2D":
            return [nn.MaxPool2d(layer.pool_size, layer.strides)]
        case "Dropout":
            return [nn.Dropout(layer.rate)]
        case "Flatten":
            return [_channels_last(nn), nn.Flatten()]
    raise ValueError(f"{layer.name} is not written for PyTorch.")


def _load(torch: Any, module: Any, weight: Array, bias: Array) -> Any:
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        module.bias.copy_(torch.from_numpy(bias))
    return module


def _activation(nn: Any, layer: Any) -> list[Any]:
    known = {"linear": [], "relu": [nn.ReLU()], "softmax": [nn.Softmax(-1)]}
    return known[layer.activation.__name__]


def _channels_last(nn: Any) -> Any:
    """A module that moves the channels to the last axis, as Keras has them before Flatten."""

    class ChannelsLast(nn.Module):  # type: ignore[misc]  # torch is not there for mypy
        def forward(self, x: Any) -> Any:
            return x.permute(0, 2, 3, 1)

    return ChannelsLast()
