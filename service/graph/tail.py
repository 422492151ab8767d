"""The part of the graph after the sites, for all passes at once."""

from collections.abc import Mapping

import onnx_ir as ir

from service.graph.cut import Cut
from service.graph.draw_inputs import DrawInputsPass
from service.graph.frontier_inputs import FrontierInputsPass
from service.graph.place import Place, reads_frontier
from service.graph.prune import PrunePass
from service.graph.sites_as_inputs import SitesAsInputsPass
from service.manifest import SiteSpec
from service.nodes.conditions import ensure, require
from service.nodes.draws import any_drawing


class TailPass(ir.passes.FunctionalPass):
    """Make the tail of a model.

    Precondition: the cut is one of this model, and some output depends on a site.
    Postcondition: a pure function, without draws, of the frontier with B rows, of the shapes of
    the trunk, and of one input of draws per site. Its outputs are those that the sites reach,
    with P·B rows; row b of pass p has index p·B + b. The inner site, if there is one, may have
    P·J draws; then the outputs have P·J·B rows.
    """

    def __init__(
        self,
        cut: Cut,
        places: Mapping[SiteSpec, Place],
        one_pass: bool,
        inner: SiteSpec | None = None,
    ) -> None:
        """At a cut, for the sites in these places.

        With `one_pass`, P is 1 in every run; `inner` is as in `inner_site`.
        """
        super().__init__()
        self._cut = cut
        self._places = places
        self._one_pass = one_pass
        self._inner = inner

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        self._cut.require(model.graph)
        require(bool(self._cut.stochastic), "no output depends on a site")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """The tail, a new model."""
        tail = model.clone()
        graph = tail.graph
        graph.outputs[:] = [value for value in graph.outputs if value.name in self._cut.stochastic]
        as_it_is = {
            site.name for site, place in self._places.items() if reads_frontier(site, place)
        }
        for step in (
            DrawInputsPass(self._places),
            FrontierInputsPass(self._cut, as_it_is),
            SitesAsInputsPass(self._places, self._one_pass, self._inner),
            PrunePass(),
        ):
            step(tail)
        return ir.passes.PassResult(tail, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        ensure(not any_drawing(model.graph), "the tail draws")
        outputs = tuple(value.name for value in model.graph.outputs)
        ensure(outputs == self._cut.stochastic, f"the tail's outputs are {outputs}")
