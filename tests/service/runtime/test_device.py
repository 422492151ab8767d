import pytest

from service.errors import SetupError
from service.runtime import device
from service.runtime.device import choose_device
from service.runtime.engine import CPU, CUDA


def test_auto_selects_the_cpu_without_a_gpu_and_gives_the_reason() -> None:
    found = choose_device("auto")
    assert (found.got, found.providers) == ("cpu", (CPU,))
    assert found.why.startswith("No GPU can be used: this ONNX Runtime was built without it")


def test_missing_cuda_is_an_error() -> None:
    with pytest.raises(
        SetupError, match=r"set to 'cuda:1', but CUDA is not available: .* --device auto"
    ):
        choose_device("cuda:1")


@pytest.mark.parametrize(("asked", "number"), [("auto", "0"), ("cuda", "0"), ("cuda:2", "2")])
def test_gpu_that_ran_a_graph_is_selected(
    monkeypatch: pytest.MonkeyPatch, asked: str, number: str
) -> None:
    monkeypatch.setattr(device, "cuda_fault", lambda provider: None)
    found = choose_device(asked)
    assert found.got == f"cuda:{number}"
    assert found.providers == ((CUDA, {"device_id": number, "use_tf32": "0"}), CPU)


def test_cpu_is_not_probed() -> None:
    assert choose_device("cpu").providers == (CPU,)
