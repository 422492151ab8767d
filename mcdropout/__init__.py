"""Monte Carlo dropout for Keras models: export them, and predict with or without a server.

Each name is loaded when it is first used, because each needs other packages: `Client` and
`AsyncClient` need httpx and NumPy alone, `load_model` those of the extra `cpu` or `gpu`,
`evaluate` and `calibrate` also those of `evaluate`, and `export_model` those of the extra `export`.
"""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

__all__ = [
    "AsyncClient",
    "Client",
    "__version__",
    "calibrate",
    "evaluate",
    "export_model",
    "load_model",
]

_HOMES = {
    "AsyncClient": "service.client",
    "Client": "service.client",
    "calibrate": "service.fitting",
    "evaluate": "service.evaluation",
    "export_model": "models.export",
    "load_model": "service",
}

if TYPE_CHECKING:
    from models.export import export_model
    from service import load_model
    from service.client import AsyncClient, Client
    from service.evaluation import evaluate
    from service.fitting import calibrate

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return version("mcdropout")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = _HOMES[name]
        require_own(home.partition(".")[0])
        return getattr(import_module(home), name)


def require_own(package: str) -> None:
    """Check that a top-level package is the one that was installed with this package.

    `service` and `models` are common names, and Python takes the first one on its path.

    Raises:
        ImportError: Python finds another package of that name, which the error names.
    """
    own = Path(__file__).resolve().parent.parent / package
    spec = find_spec(package)
    if spec is None:
        raise ImportError(f"mcdropout is not completely installed: {own} is missing.")
    found = spec.origin or next(iter(spec.submodule_search_locations or []))
    if Path(found).resolve() != own / "__init__.py":
        raise ImportError(
            f"mcdropout has a package {package!r} of its own, {own}, and Python finds another "
            f"one of that name before it: {found}. Rename that one, or start Python in a folder "
            "and with a PYTHONPATH that do not hold it."
        )
