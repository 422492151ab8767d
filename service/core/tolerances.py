"""How far two results may lie apart and still count as the same: every such number, and its users.

Rounding: two computations of the same thing in floating point (see `service.core.rounding`).
The exporter's check against Keras, the verification at load and the planner's comparison of a
pass alone with the same among others are one rule: of each row `FACTOR` times what the reference
itself moves by, and at least `FACTOR` × `LEAST` of its largest output.

Chance: what is observed of random draws against their distribution.
"""

#: Rounding. Neighbours of the input that the reference is computed for.
NEIGHBOURS = 4
#: Rounding. Least share of a row's largest output that the reference counts as moving by.
LEAST = 1e-6
#: Rounding. The same where something is float16, whose numbers have 11 bits.
LEAST_OF_HALF = 1e-3
#: Rounding. A difference may be so many times the reference's own.
FACTOR = 6.0
#: Rounding. A row of small outputs is judged by at least this share of the largest row's.
SHARE = 0.1

#: Verification at load: share of the largest output above which what a draw changes is not
#: rounding, so that it must not come from another pass.
EFFECT = 1e-3
#: Search for hidden randomness at export: difference of two calls of one layer, of its largest
#: output. Sums may be taken in another order, and the float16 of one number has 11 bits.
REPEATED_CALL = 1e-4
#: Export of a classifier: how far from 1 the sum of a row's probabilities may be.
PROBABILITY_SUM = 1e-3
#: Reading of an artifact: relative difference of a dropout rate, float32 in the graph, from the
#: manifest's.
RATE = 1e-5
#: Requests: relative difference from 1 of a rate times `rate_scale`, in float64, that is 1.
WHOLE_RATE = 1e-12

#: Chance, at export and at load: standard errors that an observed moment may be off, and the
#: logarithm of how rare a chance is that passes for none. Each refuses what is right once in
#: 5e8 times.
SIGMAS, LOG_CHANCE = 6.0, 20.0
