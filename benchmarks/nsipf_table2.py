"""The NSIPF paper's second table: seconds of SIPF and NSIPF against the number of particles, and against the grid.

Milliseconds of a step of the default scheme, of scale mixing and of the convolutional network (on the whole grid, and
in occupied blocks), interleaved; the exponents of time in particles and in cells are fitted over the larger half of the
sizes. The classical scheme with one scipy call per particle is timed on a few. The paper's seconds (arXiv 2510.13199, a
GTX 1080) stand beside: its resolution and number of steps are not known.

    python benchmarks/nsipf_table2.py            # a few minutes on two cores
    python benchmarks/nsipf_table2.py --quick
"""

import jax
import numpy as np
from _report import arguments, interleaved, save, table
from particle_step import FEW, ours, per_particle

import jaxchemo as jc

PAPER = {1_000: (211.27, 31.97), 5_000: (998.38, 32.21), 10_000: (1959.34, 32.42)}  # classical SIPF, NSIPF [s]


def methods(particles: int) -> dict[str, jc.ParticleField]:
    convolutional = jc.nn.pretrained("phks-3d-cnn")
    blocks = jc.nn.SuperResolution(
        3, convolutional.parameters, channels=convolutional.network.channels, coverage=jc.nn.Occupied()
    )
    return {
        "sipf": jc.ParticleField(particles),
        "nsipf": jc.ParticleField(particles, interpolator=jc.nn.pretrained("phks-3d")),
        "cnn": jc.ParticleField(particles, interpolator=convolutional),
        "cnn, blocks": jc.ParticleField(particles, interpolator=blocks),
    }


def milliseconds(particles: int, n: int, names: tuple[str, ...]) -> dict[str, float]:
    steps = 1 if particles * n > 2e7 else 5
    calls = {name: ours(methods(particles)[name], n, steps) for name in names}
    rounds = 3 if particles > 200_000 else 5
    return {name: 1e3 * seconds / steps for name, seconds in interleaved(calls, rounds).items()}


def exponent(sizes, values) -> float:
    half = min(len(sizes) // 2, len(sizes) - 2)
    return float(np.polyfit(np.log(sizes[half:]), np.log(values[half:]), 1)[0])


def main() -> None:
    options = arguments(__doc__)
    numbers = (1_000, 5_000) if options.quick else (1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000)
    grids = (16, 32) if options.quick else (16, 32, 64, 128)
    rows = []
    for particles in numbers:
        names = ("sipf", "nsipf", "cnn") if particles <= 100_000 else ("sipf", "nsipf")
        found = milliseconds(particles, grids[-1] // 2, names)
        row: dict = {"particles": particles, **found, "nsipf over sipf": found["nsipf"] / found["sipf"]}
        if particles <= 10_000:
            call = per_particle(particles, grids[-1] // 2)
            row["scipy, call per particle"] = 1e3 * interleaved({"it": call}, 1)["it"] * particles / FEW
        if particles in PAPER:
            row |= dict(zip(("paper SIPF [s]", "paper NSIPF [s]"), PAPER[particles], strict=True))
        rows.append(row)
    table(f"Milliseconds of a step on {grids[-1] // 2}^3 cells", rows)
    cells = []
    for n in grids:
        names = ("sipf", "nsipf", "cnn", "cnn, blocks") if n < 128 else ("sipf", "nsipf")
        cells.append({"grid": n, **milliseconds(20_000, n, names)})
    table("Milliseconds of a step with P = 20,000", cells)
    exponents = {
        f"{name} in particles": exponent(list(numbers), [row[name] for row in rows]) for name in ("sipf", "nsipf")
    } | {
        f"{name} in cells": exponent([n**3 for n in grids], [row[name] for row in cells]) for name in ("sipf", "nsipf")
    }
    table("Exponents, fitted over the larger half of the sizes", [exponents])
    save(options, "nsipf_table2", {"particles": rows, "grids": cells, "exponents": exponents})


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", False)
    main()
