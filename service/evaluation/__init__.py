"""How far the uncertainty of a model can be trusted: its predictions compared with targets."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.evaluation.evaluator import evaluate

__all__ = ["evaluate"]


def __getattr__(name: str) -> Any:
    # Lazy, so that labeled data and runs need no scikit-learn.
    if name in __all__:
        from service.extras import needs

        with needs("evaluate"):
            from service.evaluation import evaluator

        return getattr(evaluator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
