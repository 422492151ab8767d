"""The Open Inference Protocol, version 2, under /v2.

With Triton's extensions for binary tensors and for the model repository. Differences
from a server without dropout: the outputs of a model are `mean` and `variance` over passes,
and the `parameters` of the request determine how it is sampled.
"""

from service.api.v2.routes import asking, router

__all__ = ["asking", "router"]
