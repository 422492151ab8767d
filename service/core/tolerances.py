"""All tolerances, each with its use.

Rounding: differences between two floating-point computations of the same value (see
`service.core.rounding`). The exporter's check against Keras, load-time verification and the
planner's comparison of a pass alone and in a batch use one rule: the tolerance of each row is
`FACTOR` times the change of the reference itself, and at least `FACTOR` × `LEAST` of its largest
output.

Chance: differences between observed moments of random draws and their distribution.
"""

#: Rounding. Number of slightly moved inputs for which the reference is computed.
NEIGHBORS = 4
#: Rounding. Minimum change of the reference, as a share of a row's largest output.
LEAST = 1e-6
#: Rounding. The same if any value is float16, which has 11 bits.
LEAST_OF_HALF = 1e-3
#: Rounding. Tolerance as a multiple of the change of the reference.
FACTOR = 6.0
#: Rounding. Minimum scale of a row with small outputs, as a share of the largest row's.
SHARE = 0.1

#: Load-time verification: change above which an output depends on a draw, as a share of the
#: largest output; the draws of other passes must not cause it.
EFFECT = 1e-3
#: Search for hidden randomness at export: maximum difference of two calls of a layer, relative
#: to its largest output. The order of sums may differ, and float16 has 11 bits.
REPEATED_CALL = 1e-4
#: Export of a classifier: maximum deviation of a row's sum of probabilities from 1.
PROBABILITY_SUM = 1e-3
#: Reading of an artifact: relative difference of a dropout rate, float32 in the graph, from the
#: manifest's.
RATE = 1e-5
#: Requests: relative difference from 1 of a rate times `rate_scale`, in float64, that is 1.
WHOLE_RATE = 1e-12

#: Chance, at export and at load: maximum deviation of an observed moment in standard errors, and
#: the negative logarithm of the significance level. Each rejects a correct model once in 5e8
#: times.
SIGMAS, LOG_CHANCE = 6.0, 20.0
