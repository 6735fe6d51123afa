"""What to keep of a run, and when: full snapshots rarely, or statistics often."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx

from jaxchemo import _checks
from jaxchemo.methods.base import Snapshot


def _everything(snapshot: Snapshot) -> Snapshot:
    return snapshot


def _times(ts: Any) -> tuple[float, ...]:
    return tuple(_checks.constant(_checks.real, "ts", t) for t in _checks.one_or_several(ts))


class SaveAt(eqx.Module):
    """What to keep of a run.

    **Arguments:**

    - `ts`: times to save at [time], one or several; each must be a whole number of steps after the start.
    - `every`: save every so many steps, the initial state included.
    - `t1`: save the final time. Default: only if neither `ts` nor `every` is given.
    - `fn`: what to save, a function of the `Snapshot`; by default all of it. What `fn` does not use is not computed.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> often = jc.SaveAt(every=10, fn=lambda snapshot: snapshot.density.max())
    >>> often.steps(t0=0.0, dt=0.1, num_steps=30)  # the numbers of the steps after which something is saved
    (0, 10, 20, 30)
    """

    ts: tuple[float, ...] | None = eqx.field(static=True)
    every: int | None = eqx.field(static=True)
    t1: bool = eqx.field(static=True)
    fn: Callable[[Snapshot], Any]

    def __init__(
        self,
        ts: Sequence[float] | None = None,
        every: int | None = None,
        t1: bool | None = None,
        fn: Callable[[Snapshot], Any] = _everything,
    ):
        if ts is not None and every is not None:
            raise ValueError("Give `ts` or `every`, not both.")
        if not callable(fn):
            raise TypeError(f"`fn` must be a function of a Snapshot, got {fn!r}.")
        self.ts = None if ts is None else _times(ts)
        self.every = None if every is None else _checks.natural("every", every)
        self.t1 = (ts is None and every is None) if t1 is None else _checks.flag("t1", t1)
        self.fn = fn

    def times(self, t0: float, t1: float) -> tuple[float, ...]:
        """The times to save at [time], increasing, for methods that choose their own steps.

        **Raises:** `ValueError` for `every`, and for `ts` that are not between `t0` and `t1`.
        """
        if self.every is not None:
            raise ValueError("`saveat`: `every` counts steps, but this method chooses its own: give `ts`.")
        chosen = {t1} if self.t1 else set()
        for t in self.ts or ():
            within = min(max(t, t0), t1)  # where `t` is one of the two but for its last digits
            if not math.isclose(t, within, rel_tol=1e-12, abs_tol=1e-12 * (t1 - t0)):
                raise ValueError(f"`ts` must lie between t0={t0:g} and t1={t1:g}, got {t:g}.")
            chosen.add(within)
        return tuple(sorted(chosen))

    def steps(self, t0: float, dt: float, num_steps: int) -> tuple[int, ...]:
        """The step numbers to save after, increasing; 0 is the initial state.

        **Raises:** `ValueError` for `ts` that are not steps of the run.
        """
        chosen: set[int] = {num_steps} if self.t1 else set()
        if self.every is not None:
            chosen |= set(range(0, num_steps + 1, self.every))
        for t in self.ts or ():
            n = round((t - t0) / dt)
            if abs(t0 + n * dt - t) > 1e-6 * max(abs(dt), 1e-300) * max(1, abs(n)) or not 0 <= n <= num_steps:
                near = t0 + min(max(n, 0), num_steps) * dt
                raise ValueError(
                    f"`ts` holds {t:g}, which is not a step of the run: the nearest step is at t={near:g}."
                )
            chosen.add(n)
        return tuple(sorted(chosen))
