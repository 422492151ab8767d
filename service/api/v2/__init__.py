"""The Open Inference Protocol, version 2, under /v2.

With Triton's extensions for binary tensors and for the model repository. Differences
from a server without dropout: what a model gives are `mean` and `variance` over passes,
and how it is sampled is said by the request's `parameters`.
"""

from service.api.v2.routes import asking, router

__all__ = ["asking", "router"]
