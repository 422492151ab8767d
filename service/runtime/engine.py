"""The interface to ONNX Runtime; the only file that imports it."""

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ParamSpec, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray

from service.errors import ModelError, RefusedRowsError, SetupError
from service.extras import how_to_install
from service.runtime.memory import give_back_also
from service.runtime.tuning import ON_CPU, ON_CUDA, Tuning

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")
#: A tensor that stays on the device that made it (onnxruntime.OrtValue, or an array on the CPU).
Held = Any
#: An execution provider by name, or with its options.
Provider = str | tuple[str, dict[str, str]]

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
        SetupError: with what is installed and how to fix it.
    """
    found = [package for package in _RUNTIMES if _installed(package)]
    if not found:
        raise SetupError(f"no ONNX Runtime is installed. Install one: {how_to_install('cpu')}.")
    if len(found) > 1:
        raise SetupError(
            f"{' and '.join(found)} are both installed, and they overwrite each other's files. "
            f"Keep one: pip uninstall -y {' '.join(found)}, then, {how_to_install('cpu')}."
        )


require_one_runtime()

# Official Linux builds from 1.31 on send telemetry to Microsoft, unless this is set first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime  # noqa: E402


def _share_arena() -> None:
    """Let all sessions on the CPU share one arena for the memory of their runs.

    Otherwise each session has its own, and an arena keeps the maximum it ever held, which is the
    memory of the largest request for every graph of every model. An arena shrinks only at the end
    of a run, so a session exists whose runs have no other purpose.
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg({}))
    options = _options(ON_CPU)
    options.intra_op_num_threads = 1  # more threads would only wait
    session = onnxruntime.InferenceSession(_smallest_graph(), options, providers=[CPU])
    shrink = onnxruntime.RunOptions()
    shrink.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    give_back_also(lambda: session.run(None, {"x": np.ones(1, np.float32)}, shrink))


def _options(tuning: Tuning) -> Any:
    """Options of a session."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.enable_mem_pattern = tuning.memory_pattern
    options.add_session_config_entry("session.force_spinning_stop", str(int(not tuning.spins)))
    if tuning.shares_arena:  # see `_share_arena`
        options.add_session_config_entry("session.use_env_allocators", "1")
        # Weights stay until the model is unloaded, and would keep the memory around them.
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    return options


def _smallest_graph() -> bytes:
    """A serialized graph of one operator that every provider has: "x" of one float32."""
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Add", ["x", "x"], ["y"])], "g", [x], [y])
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    return bytes(model.SerializeToString())


_share_arena()


class Stop:
    """Terminates runs from another thread, such as a run of an endless loop.

    A run ends at its next operator. Loading a graph is not a run, and cannot be terminated.
    """

    def __init__(self) -> None:
        self._options = onnxruntime.RunOptions()

    def set(self) -> None:
        """Terminate the current run, if any, and each that follows."""
        self._options.terminate = True

    def over(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work`, whose runs on this thread can be stopped.

        Raises:
            ModelError: they were stopped.
        """
        before = getattr(_running, "options", None)
        _running.options = self._options
        try:
            return work(*args, **kwargs)
        finally:
            _running.options = before


#: Run options of this thread.
_running = threading.local()


class Engine:
    """One ONNX graph, ready to run. Safe to run from several threads."""

    def __init__(self, model: bytes, providers: Sequence[Provider]) -> None:
        """Load a serialized ONNX model.

        Args:
            model: the file's bytes.
            providers: ONNX Runtime execution providers, the preferred one first.

        Raises:
            SetupError: a provider is unknown to this build or could not start.
            ModelError: ONNX Runtime refuses the model.
        """
        require_providers(providers)
        wanted = _name(providers[0])
        if wanted == CUDA:
            # CUDA and cuDNN come as Python packages, where the linker does not look.
            onnxruntime.preload_dlls()
        try:
            self._session = onnxruntime.InferenceSession(
                model, _options(tuning_of(providers)), providers=list(providers)
            )
        except Exception as error:  # the runtime's exceptions share no public base
            raise ModelError(f"ONNX Runtime cannot load the graph: {error}") from error
        # The runtime falls back to the CPU with no more than a log line.
        if self.providers[0] != wanted:
            raise SetupError(
                f"{wanted} could not start, and ONNX Runtime fell back to "
                f"{self.providers[0]}. Check the driver and the CUDA and cuDNN libraries, or "
                "choose CPUExecutionProvider."
            )
        self._bound = wanted == CUDA
        self._device = "cuda" if wanted == CUDA else "cpu"
        options = self._session.get_provider_options().get(CUDA, {})
        self._device_id = int(options.get("device_id", 0))
        self.inputs = frozenset(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers that are in use, the preferred one first."""
        return tuple(self._session.get_providers())

    def run(
        self, feeds: Mapping[str, Array | Held], outputs: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """Run the graph once: input name to tensor, to output name to array.

        Args:
            feeds: arrays, and results of `hold`.
            outputs: names of the outputs to compute; by default all.

        Raises:
            ModelError: ONNX Runtime fails, for example because memory runs out.
        """
        names = self.outputs if outputs is None else tuple(outputs)
        if self._bound and not _has_strings(feeds):
            binding = self._bind(feeds, names, "cpu")
            return dict(zip(names, binding.copy_outputs_to_cpu(), strict=True))
        arrays = {name: as_array(value) for name, value in feeds.items()}
        found = self._guard(self._session.run, names, arrays, _options_of_runs())
        return dict(zip(names, found, strict=True))

    def hold(self, feeds: Mapping[str, Array]) -> dict[str, Held]:
        """Like `run`, but the outputs stay on the device as inputs of another engine's `run`."""
        if not self._bound:
            return dict(self.run(feeds))
        if _has_strings(feeds):
            device = self._device, self._device_id
            held = onnxruntime.OrtValue.ortvalue_from_numpy
            return {name: held(y, *device) for name, y in self.run(feeds).items()}
        values = self._bind(feeds, self.outputs, self._device).get_outputs()
        return dict(zip(self.outputs, values, strict=True))

    def _bind(self, feeds: Mapping[str, Array | Held], outputs: Sequence[str], device: str) -> Any:
        """Run with bound inputs and outputs, so that tensors on the GPU stay there."""
        binding = self._session.io_binding()
        for name, value in feeds.items():
            if isinstance(value, onnxruntime.OrtValue):
                binding.bind_ortvalue_input(name, value)
            else:
                binding.bind_cpu_input(name, value)
        for name in outputs:
            binding.bind_output(name, device, self._device_id if device == "cuda" else 0)
        self._guard(self._session.run_with_iobinding, binding, _options_of_runs())
        return binding

    @staticmethod
    def _guard(run: Any, *args: Any) -> Any:
        try:
            return run(*args)
        except Exception as error:  # see above
            if "INVALID_ARGUMENT" in str(error) and "data bounds" in str(error):
                said = re.sub(r".*Status Message: ", "", str(error), flags=re.DOTALL)
                raise RefusedRowsError(f"the model cannot process these rows: {said}.") from error
            raise ModelError(f"ONNX Runtime failed: {error}") from error


def _has_strings(feeds: Mapping[str, Array | Held]) -> bool:
    """Whether some tensors hold strings, which are on the CPU and cannot be bound."""
    return any(isinstance(x, np.ndarray) and x.dtype == object for x in feeds.values())


def as_array(value: Held) -> Array:
    """The array of a tensor that `Engine.hold` returned."""
    array: Array = value.numpy() if isinstance(value, onnxruntime.OrtValue) else value
    return array


def size_of(value: Held) -> int:
    """Bytes of what `Engine.hold` gave."""
    return int(value.nbytes if isinstance(value, np.ndarray) else value.tensor_size_in_bytes())


def _options_of_runs() -> Any:
    return getattr(_running, "options", None)


def _name(provider: Provider) -> str:
    return provider if isinstance(provider, str) else provider[0]


def tuning_of(providers: Sequence[Provider]) -> Tuning:
    """The tuning constants for execution providers, the preferred one first."""
    return ON_CPU if _name(providers[0]) == CPU else ON_CUDA


def require_providers(providers: Sequence[Provider]) -> None:
    """Check that this build of ONNX Runtime has the execution providers.

    Raises:
        SetupError: naming what it has instead.
    """
    known = onnxruntime.get_available_providers()
    names = [_name(provider) for provider in providers]
    if not names or not set(names) <= set(known):
        raise SetupError(
            f"execution providers {names} are not all in this ONNX Runtime, which "
            f"has {known}. For CUDA install the extra gpu in place of cpu."
        )


def cuda_fault(provider: Provider) -> str | None:
    """The reason why no graph can run with a CUDA provider here; None: one just did."""
    if CUDA not in onnxruntime.get_available_providers():
        return "this ONNX Runtime was built without it; install the extra gpu in place of cpu."
    try:
        Engine(_smallest_graph(), [provider, CPU]).run({"x": np.ones(1, np.float32)})
    except (SetupError, ModelError) as error:
        return str(error)
    return None
