"""What tracks of swimmers say: how far they get, what they forget, how fast they climb, and how long they run."""

from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float


class Estimate(NamedTuple):
    """A mean over agents, its `value`, and its standard `error`, both in the unit of what is estimated.

    >>> times = np.arange(5.0)
    >>> jc.analysis.drift(times, 2 * times[:, None, None] * np.ones((5, 100, 1)))
    Estimate(value=2.0, error=0.0)
    """

    value: float
    error: float


def mean_squared_displacement(positions: Float[ArrayLike, "t p d"]) -> Float[np.ndarray, " t"]:
    """Mean over agents of `|x(t) - x(0)|^2` [length^2], for each saved time.

    **Arguments:**

    - `positions`: of each agent at each time, unfolded [length].

    **Raises:** `ValueError` for tracks of another shape, or with missing frames.
    """
    x = _tracks("positions", positions)
    return np.mean(np.sum((x - x[0]) ** 2, axis=-1), axis=1)


def autocorrelation(headings: Float[ArrayLike, "t p d"]) -> Float[np.ndarray, " t"]:
    """Mean over agents, and over all pairs of times so far apart, of `p(s) . p(s + t)` [dimensionless].

    **Arguments:**

    - `headings`: unit vectors at evenly spaced times.

    **Returns:** one number for each number of frames between two times, from 0 on.

    **Raises:** `ValueError` for tracks of another shape, or with missing frames.
    """
    p = _tracks("headings", headings)
    count = len(p)
    # Padded with zeros to twice the length: the transform is periodic, and would join the end of a track to its start.
    modes = np.fft.rfft(p, 2 * count, axis=0)
    sums = np.fft.irfft(np.sum(np.abs(modes) ** 2, axis=-1), axis=0)[:count]
    return np.mean(sums, axis=1) / np.arange(count, 0, -1)


def drift(ts: Float[ArrayLike, " t"], positions: Float[ArrayLike, "t p d"], axis: int = 0) -> Estimate:
    """Drift along an axis [length / time], by the displacement of each agent from the first time to the last.

    **Arguments:**

    - `ts`: the times; `positions`: of each agent at each, unfolded [length].
    - `axis`: along which. Default 0.

    **Returns:** the mean over agents and its standard error: 1.96 of them on each side make a 95% confidence interval.

    **Raises:** `ValueError` for tracks of another shape, or with missing frames.
    """
    x, times = _tracks("positions", positions)[..., axis], np.asarray(ts, float)
    speeds = (x[-1] - x[0]) / (times[-1] - times[0])
    return Estimate(float(speeds.mean()), float(speeds.std(ddof=1) / np.sqrt(speeds.size)))


def diffusivity(ts: Float[ArrayLike, " t"], positions: Float[ArrayLike, "t p d"]) -> Estimate:
    """Half the growth of the variance along an axis per time, mean over axes [length^2 / time], over the second half.

    The first half is left out: there agents still remember their first direction.

    **Arguments:** `ts` and `positions` as `drift`.

    **Returns:** the mean over agents and its standard error.

    **Raises:** `ValueError` for tracks of another shape, or with missing frames.
    """
    x, times = _tracks("positions", positions), np.asarray(ts, float)
    middle = len(times) // 2
    squares = [np.mean((x[k] - x[k].mean(axis=0)) ** 2, axis=-1) for k in (middle, -1)]
    each = (squares[1] - squares[0]) / (2 * (times[-1] - times[middle]))
    return Estimate(float(each.mean()), float(each.std(ddof=1) / np.sqrt(each.size)))


def run_times(
    ts: Float[ArrayLike, " t"], headings: Float[ArrayLike, "t p d"], angle: float = 0.5
) -> Float[np.ndarray, " runs"]:
    """How long agents ran between two turns [time]. The first and the last run of each track, cut off, do not count.

    **Arguments:**

    - `ts`: evenly spaced times; `headings`: unit vectors at each.
    - `angle`: between two frames that counts as a turn [radians]. Default 0.5.

    **Returns:** all runs, those of the first agent first.

    **Raises:** `ValueError` for tracks of another shape, or with missing frames.
    """
    p, times = _tracks("headings", headings), np.asarray(ts, float)
    turned = np.sum(p[1:] * p[:-1], axis=-1) < np.cos(angle)
    waits = [np.diff(times[1:][turned[:, k]]) for k in range(p.shape[1])]
    return np.concatenate(waits) if waits else np.empty(0)


def tumble_information(rates: Float[ArrayLike, "t p"]) -> Estimate:
    """Most that tumbles can say of what changes their rate: mean of `rate ln(rate / mean rate)` [nats / time].

    It is the information rate of a Poisson process with these rates, less what its own past tells of them (which is
    why it is a bound); so it also bounds the information that tumbles carry of a gradient. Over ln 2, bits.

    **Arguments:**

    - `rates`: of each agent at each time, positive, as `swimming.tumble_rates` gives them [1 / time].

    **Returns:** the mean over agents and times, and its standard error over agents.

    **Raises:** `ValueError` for `rates` of another shape, or not positive.
    """
    values = np.asarray(rates, float)
    if values.ndim != 2 or not (np.isfinite(values).all() and (values > 0).all()):
        raise ValueError(f"`rates` must be positive, one for each time and agent, got shape {values.shape}.")
    each = np.mean(values * np.log(values / values.mean()), axis=0)
    return Estimate(float(each.mean()), float(each.std(ddof=1) / np.sqrt(each.size)))


def _tracks(name: str, given: ArrayLike) -> np.ndarray:
    values = np.asarray(given, float)
    if values.ndim != 3 or len(values) < 2:
        raise ValueError(f"`{name}` must have the shape (two or more times, agents, dimensions), got {values.shape}.")
    missing = ~np.isfinite(values).all(axis=-1)
    if missing.any():
        time, agent = np.argwhere(missing)[0]
        raise ValueError(
            f"`{name}` has {missing.sum()} missing frames, the first of agent {agent} at frame {time}: cut the tracks "
            "there, or leave those agents out."
        )
    return values
