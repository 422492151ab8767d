"""ONNX Runtime, and the only file that imports it."""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from numpy.typing import NDArray

from service.errors import ModelError, SetupError

Array = NDArray[Any]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def require_one_runtime() -> None:
    """Check that exactly one ONNX Runtime is installed.

    Both wheels write into one folder: with both, whichever was installed last
    runs, and removing either breaks the other.

    Raises:
        SetupError: saying what is installed and how to mend it.
    """
    found = [package for package in _RUNTIMES if _installed(package)]
    if not found:
        raise SetupError(
            "no ONNX Runtime is installed. Install one: pip install 'mcdropout[cpu]', or "
            "'mcdropout[gpu]' on a machine with an NVIDIA GPU."
        )
    if len(found) > 1:
        raise SetupError(
            f"{' and '.join(found)} are both installed, and they overwrite each other's files. "
            f"Keep one: pip uninstall -y {' '.join(found)}, then pip install 'mcdropout[cpu]' "
            "or 'mcdropout[gpu]'."
        )


require_one_runtime()

import onnxruntime  # noqa: E402


class Engine:
    """One ONNX graph, ready to run. Safe to run from several threads."""

    def __init__(self, model: bytes, providers: Sequence[str]) -> None:
        """Load a serialised ONNX model.

        Args:
            model: the file's bytes.
            providers: ONNX Runtime execution providers, the preferred one first.

        Raises:
            SetupError: a provider is unknown to this build or could not start.
            ModelError: ONNX Runtime refuses the model.
        """
        require_providers(providers)
        if providers[0] == CUDA:
            # CUDA and cuDNN come as Python packages, where the linker does not look.
            onnxruntime.preload_dlls()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=list(providers))
        except Exception as error:  # the runtime's exceptions share no public base
            raise ModelError(f"ONNX Runtime cannot load the graph: {error}") from error
        # The runtime falls back to the CPU with no more than a log line.
        if self.providers[0] != providers[0]:
            raise SetupError(
                f"{providers[0]} could not start, and ONNX Runtime fell back to "
                f"{self.providers[0]}. Check the driver and the CUDA and cuDNN libraries, or "
                "choose CPUExecutionProvider."
            )
        self._outputs = tuple(value.name for value in self._session.get_outputs())

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers that really run, the preferred one first."""
        return tuple(self._session.get_providers())

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once: input name to array, to output name to array.

        Raises:
            ModelError: ONNX Runtime fails, for example for want of memory.
        """
        try:
            results = self._session.run(None, dict(feeds))
        except Exception as error:  # see above
            raise ModelError(f"ONNX Runtime failed: {error}") from error
        return dict(zip(self._outputs, results, strict=True))


def require_providers(providers: Sequence[str]) -> None:
    """Check that this build of ONNX Runtime has the execution providers.

    Raises:
        SetupError: naming what it has instead.
    """
    known = onnxruntime.get_available_providers()
    unknown = [provider for provider in providers if provider not in known]
    if unknown or not providers:
        raise SetupError(
            f"execution providers {list(providers)} are not all in this ONNX Runtime, which "
            f"has {known}. For CUDA install 'mcdropout[gpu]' in place of 'mcdropout[cpu]'."
        )
