"""In which order variants run, how often they are looked at, and when that is enough."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

LEAST_RUNS = 8
"""With fewer, no difference can be shown at the level below, however large it is."""
LOOKS = (12, 20, 32, 48)
"""After how many rounds the figures are looked at: each look has a part of the allowed error, so that looking more
often does not find more."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long to go on."""

    budget_s: float = 120.0
    """For all rounds together; at least ``LEAST_RUNS`` are made."""
    precision: float = 0.05
    """Half the width of the start-up ratio's interval that is narrow enough."""
    runs: int = 0
    """Exactly so many rounds; 0: as many as it takes."""

    @property
    def most_runs(self) -> int:
        """Return how many rounds there are at most."""
        return self.runs or LOOKS[-1]

    @property
    def looks(self) -> int:
        """Return how often a decision may be taken: once where the number of rounds is fixed.

        The end of the budget, wherever it falls, takes the place of the looks after it.
        """
        return 1 if self.runs else len(LOOKS)


def order(count: int, *, seed: int, round_number: int) -> list[int]:
    """Return the order of one round: by chance, so that nobody always follows the same one, and the same each time."""
    return [int(one) for one in np.random.default_rng([seed, round_number]).permutation(count)]


def should_go_on(pace: Pace, *, done: int, elapsed_s: float, widths: Sequence[float]) -> bool:
    """Say whether another round is wanted after ``done``.

    ``widths`` are half the widths of the start-up ratios, for each variant; asked for at looks only.

    >>> should_go_on(Pace(), done=12, elapsed_s=1.0, widths=[0.01])
    False
    """
    if done >= pace.most_runs:
        return False
    if pace.runs:
        return True
    if done >= LEAST_RUNS and elapsed_s + elapsed_s / done > pace.budget_s:
        return False
    return not (done in LOOKS and all(width <= pace.precision for width in widths))
