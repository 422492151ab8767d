"""The device that runs the models: the CPU or a GPU, as requested and as found."""

import re
from dataclasses import dataclass

from service.errors import SetupError
from service.runtime.engine import CPU, CUDA, Provider, cuda_fault

#: Valid devices.
DEVICES = "it takes auto, cpu, cuda, or cuda:N for GPU number N"


@dataclass(frozen=True)
class Device:
    """A choice of where to run.

    Attributes:
        asked: "auto", "cpu", "cuda" or "cuda:N".
        got: "cpu" or "cuda:N".
        why: the reason of the choice, as a sentence.
        providers: for ONNX Runtime, the preferred one first.
    """

    asked: str
    got: str
    why: str
    providers: tuple[Provider, ...]


def is_device(text: str) -> bool:
    """Whether the name of a device is valid."""
    return re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", text) is not None


def choose_device(asked: str) -> Device:
    """Find the device; a GPU counts only if a graph has just run on it.

    Raises:
        SetupError: the name is invalid; or CUDA was requested and is not available, with
            what is missing.
    """
    if not is_device(asked):
        raise SetupError(f"the device is {asked!r}; {DEVICES}.")
    if asked == "cpu":
        return Device(asked, "cpu", "It was requested.", (CPU,))
    number = asked.partition(":")[2] or "0"
    # TF32 rounds to 10 bits, so a seed would give other answers than on the CPU.
    provider: Provider = (CUDA, {"device_id": number, "use_tf32": "0"})
    fault = cuda_fault(provider)
    if fault is None:
        return Device(asked, f"cuda:{number}", "A graph ran on it.", (provider, CPU))
    if asked == "auto":
        return Device(asked, "cpu", f"No GPU can be used: {fault}", (CPU,))
    raise SetupError(
        f"the device is set to {asked!r}, but CUDA is not available: {fault} Set --device auto or "
        "cpu (MCDROPOUT_DEVICE) to run on the CPU."
    )
