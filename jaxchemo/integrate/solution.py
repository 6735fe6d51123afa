"""What a run returns."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from jaxchemo.methods.base import Snapshot
from jaxchemo.results import RESULTS


class Solution(eqx.Module):
    """The outcome of a run.

    **Fields:**

    - `ts`: times that were saved `(k,)`.
    - `ys`: what was saved, stacked along a first axis of length `k`.
    - `final`: the last state: `final.density`, `final.signal`, and `final.positions` where there are particles.
    - `result`: how it ended, one of `RESULTS`.
    - `stats`: `num_steps`, `dt`, `failed_step`, the step at which the run went wrong (-1: it did not), and
      `trusted_until`, the time that was reached before.
    """

    ts: Float[Array, " k"]
    ys: Any
    final: Snapshot
    result: RESULTS
    stats: dict[str, Any]


class SolveError(RuntimeError):
    """A run that went wrong. `solution` holds everything up to and after the failure."""

    def __init__(self, message: str, solution: Any):
        super().__init__(message)
        self.solution = solution
