"""The numbers of passes after which a stopping rule looks at its rows.

They depend on the rule alone. All but the last are multiples of 20.
"""

from collections.abc import Callable

#: The first look, and what all are multiples of.
STEP = 20


def fine(passes: int) -> int:
    """The look after `passes`: a quarter more, so that few passes run in vain."""
    return passes + STEP * max(1, -(-passes // (4 * STEP)))


def doubling(passes: int) -> int:
    """The look after `passes`, of rules that pay for each: twice as many."""
    return 2 * passes


def looks(least: int, most: int, after: Callable[[int], int]) -> tuple[int, ...]:
    """The numbers from `least` to `most`, which is the last."""
    found, passes = [], STEP
    while passes < most:
        if passes >= least:
            found.append(passes)
        passes = after(passes)
    return (*found, most)
