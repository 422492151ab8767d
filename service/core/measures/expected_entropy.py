"""Expected entropy of the passes: aleatoric uncertainty of a classification."""

from dataclasses import dataclass

from service.core.entropy import entropy
from service.core.measures.base import CLASSIFICATION, Array, Measure, Needs, Rows, Sampled
from service.core.measures.facts import Shape
from service.core.ordered_sum import OrderedSum


@dataclass(frozen=True)
class ExpectedEntropy(Measure):
    """Mean over passes of the entropy of each pass: aleatoric uncertainty.

    E_p H[p(y|x, w_p)] (Gal 2016, *Uncertainty in Deep Learning*, section 3.3.1), from 0 to the
    predictive entropy: what remains uncertain if the weights are known. If all passes agree, it
    is the predictive entropy.
    """

    name = "expected_entropy"
    unit = "nats"
    tasks = CLASSIFICATION
    certain = "low"
    needs = Needs.STREAM

    def shape(self, output: Shape) -> Shape:
        """(B, …) of (B, …, K) class probabilities."""
        return output[:-1]

    def init(self, samples: Array) -> OrderedSum:
        """The sum of the entropies of each pass."""
        return OrderedSum.zero(samples.shape[1:-1])

    def update(self, state: OrderedSum, samples: Array) -> OrderedSum:
        """See `Measure.update`."""
        return state.add(entropy(samples))

    def take(self, state: OrderedSum, rows: Rows) -> OrderedSum:
        """See `Measure.take`."""
        return state.rows(rows)

    def finalize(self, state: OrderedSum, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return state.value / state.terms
