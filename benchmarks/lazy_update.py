"""Cost of a particle step against the number of particles and of cells: the exposure touches occupied cells only.

`lazy` is `ParticleField(P, interpolator=BSpline(1))`: exposure and linear gather, no work on the whole grid. `dense` is
the same with `update=ExponentialUpdate()`, which updates every cell. `default` adds the histospline's filter over the
grid.

    python benchmarks/lazy_update.py [--quick]
"""

import numpy as np
from _report import arguments, interleaved, save, table
from particle_step import LINEAR, ours

import jaxchemo as jc

SCHEMES = {"lazy": LINEAR, "dense": LINEAR | dict(update=jc.ExponentialUpdate()), "default": {}}


def measure(particles: int, n: int, rounds: int) -> dict[str, float]:
    """Milliseconds per step of each scheme."""
    steps = max(2, 100_000 // particles)
    calls = {name: ours(jc.ParticleField(particles, **choice), n, steps) for name, choice in SCHEMES.items()}
    return {name: value / steps * 1e3 for name, value in interleaved(calls, rounds).items()}


def sweep(sizes: list[tuple[int, int]], variable: str, rounds: int) -> list[dict]:
    rows = [{"P": p, "grid": f"{n}^3"} | measure(p, n, rounds) for p, n in sizes]
    x = np.log([p if variable == "P" else n**3 for p, n in sizes])
    fit = {name: np.polyfit(x, np.log([row[name] for row in rows]), 1)[0] for name in SCHEMES}
    return [*rows, {"P": f"exponent in {variable}", "grid": ""} | fit]


def main() -> None:
    options = arguments(__doc__)
    cells = [(20_000, n) for n in ((32, 64) if options.quick else (32, 64, 128, 192))]
    numbers = [(p, 64) for p in ((10_000, 100_000) if options.quick else (10_000, 100_000, 1_000_000))]
    rounds = 3 if options.quick else 5
    by_cells, by_particles = sweep(cells, "cells", rounds), sweep(numbers, "P", rounds)
    table("Milliseconds per step against the grid", by_cells)
    table("Milliseconds per step against particles", by_particles)
    save(options, "lazy_update", {"by_cells": by_cells, "by_particles": by_particles})


if __name__ == "__main__":
    main()
