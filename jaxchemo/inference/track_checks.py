"""Do simulated tracks look like the measured ones: turning angles and displacements, with bands of what is likely."""

import dataclasses

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.inference.track_matches import TrackMatch
from jaxchemo.inference.track_rows import Rows

BINS = 20
LEVEL = 0.9  # of the bands


@dataclasses.dataclass(frozen=True, repr=False)
class TrackCheck:
    """A distribution of measured tracks beside that of simulated ones.

    **Fields:**

    - `name`, `label`: what it is of, and of its axis.
    - `edges`: of the bins `(b + 1,)`.
    - `measured`: share in each bin `(b,)`; `lower`, `middle`, `upper`: of simulated tracks, 90% of which lie between.

    >>> shares = np.array([0.5, 0.5])
    >>> check = jc.inference.TrackCheck("turns", "cosine", np.array([-1, 0, 1]), shares, 0.9 * shares, shares, shares)
    >>> check, check.distance
    (turns: 100% of 2 bins inside the 90% band, 0.000 of the tracks elsewhere, 0.0)
    """

    name: str
    label: str
    edges: Float[np.ndarray, " b_and_1"]
    measured: Float[np.ndarray, " b"]
    lower: Float[np.ndarray, " b"]
    middle: Float[np.ndarray, " b"]
    upper: Float[np.ndarray, " b"]

    @property
    def inside(self) -> float:
        """Share of bins whose measured share lies in the band: near 0.9 if the model describes the tracks."""
        return float(np.mean((self.measured >= self.lower) & (self.measured <= self.upper)))

    @property
    def distance(self) -> float:
        """Which share of the measured numbers would have to be elsewhere: total variation from the middle."""
        return 0.5 * float(np.abs(self.measured - self.middle).sum())

    def __repr__(self) -> str:
        return (
            f"{self.name}: {100 * self.inside:.0f}% of {len(self.measured)} bins inside the 90% band, "
            f"{self.distance:.3f} of the tracks elsewhere"
        )


def check_tracks(fit: TrackMatch, sets: int = 60, *, key: PRNGKeyArray) -> tuple[TrackCheck, ...]:
    """Turning angles, and displacements over two times, of measured tracks and of simulated ones.

    **Arguments:**

    - `fit`: whose numbers are simulated, each set with others, as likely as it says: its error bars are in the bands.
    - `sets`: simulated data sets. Default 60.
    - `key`: random key.

    **Returns:** three checks.

    **Raises:** `ValueError` or `TypeError` for bad input.
    """
    _checks.instance("fit", fit, TrackMatch, "a TrackMatch, of match_tracks")
    _checks.natural("sets", sets, at_least=10)
    draws, runs = jax.random.split(_checks.random_key("key", key))
    s, scale = fit.summaries, float(fit.parameters["speed"])
    data = _distributions(np.asarray(s.rows.taken(fit.moving.positions)), s.rows, s.lag, scale * s.dt)
    numbers = fit.found.known.sample(draws, -(-sets // 10) * 10)
    simulate, made = jax.jit(fit.simulator.tracks), []
    for first in range(0, sets, 10):
        part = {name: values[first : first + 10] for name, values in numbers.items()}
        for x in np.asarray(simulate(part, jax.random.fold_in(runs, first))):
            made.append(_distributions(x, fit.simulator.summaries.rows, s.lag, scale * s.dt))
    checks = []
    for k, (edges, measured) in enumerate(data):
        several = np.array([each[k][1] for each in made[:sets]])
        ends = np.quantile(several, [0.5 - LEVEL / 2, 0.5, 0.5 + LEVEL / 2], axis=0)
        seconds = s.lag * s.dt * (1, 1, 4)[k]
        name = f"turns from {seconds:.2g} s to the next" if k == 0 else f"displacements over {seconds:.2g} s"
        label = "cosine" if k == 0 else "over that of a straight run at the mean speed"
        checks.append(TrackCheck(name, label, edges, measured, *ends))
    return tuple(checks)


def _distributions(x: np.ndarray, rows: Rows, lag: int, unit: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Edges and shares: of cosines of turns, and of displacements over 1 and 4 lags; `unit` [length] is of a frame."""
    d = x[lag:] - x[:-lag]
    length = np.maximum(np.linalg.norm(d, axis=-1), 1e-9)
    both = rows.pairs(2 * lag)
    cosine = np.sum(d[lag:] * d[:-lag], axis=-1) / (length[lag:] * length[:-lag])
    made = [(np.linspace(-1, 1, BINS + 1), cosine[both])]
    for m in (1, 4):
        far = np.linalg.norm(x[m * lag :] - x[: -m * lag], axis=-1)
        made.append((np.linspace(0, 2.5, BINS + 1), far[rows.pairs(m * lag)] / (unit * m * lag)))
    counts = [(edges, np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]) for edges, values in made]
    return [(edges, each / max(each.sum(), 1)) for edges, each in counts]
