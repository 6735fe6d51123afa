"""The NSIPF paper's first table: seconds of finite differences, classical SIPF and NSIPF on three grids.

Two blobs and their food in [-4, 4]^3 to t = 1, 20,000 particles, 100 steps of 0.01 (finite volumes take the steps that
their stability needs). The classical scheme is timed as the paper's times suggest it was run, one scipy call per
particle, and with one call for all of them; both are timed on few steps and scaled, and say so. The paper's seconds
(arXiv 2510.13199, a GTX 1080) stand beside ours: its resolutions are not known, so rows correspond in order only.

    python benchmarks/nsipf_table1.py            # about three minutes on two cores
    python benchmarks/nsipf_table1.py --quick
"""

import time
from typing import Literal

import jax
from _report import arguments, save, table
from particle_step import FEW, per_particle, with_scipy

import jaxchemo as jc

END, DT = 1.0, 0.01
PAPER = {  # increasing resolution: finite differences, classical SIPF, NSIPF [s]
    0: (7.31, 2955.73, 8.69),
    1: (56.89, 3919.37, 33.12),
    2: (742.24, 7599.54, 243.86),
}


def problem_on(n: int) -> jc.Problem:
    """Our numbers for the paper's second experiment; its own are not available."""
    blobs = [jc.initial.gaussian(mass=0.5, center=(x, 0.0, 0.0), std=0.4) for x in (-1.5, 1.5)]
    return jc.Problem(
        model=jc.models.phks(0.1, 1.0),
        domain=jc.Grid.box((-4.0,) * 3, (4.0,) * 3, (n,) * 3),
        density=jc.initial.mixture(blobs),
        signal=jc.initial.gaussian(amplitude=20.0, std=1.0),
    )


def timed(problem: jc.Problem, method, dt: float | Literal["auto"]) -> dict[str, float]:
    """Steps and seconds of a run, with those of its compilation apart."""
    stats = jc.run(problem, method, t1=END, dt=dt, key=jax.random.key(0), progress=False).stats
    found = {name: float(stats[name]) for name in ("compile_seconds", "seconds", "num_steps")}
    return {"compile": found["compile_seconds"], "seconds": found["seconds"], "steps": found["num_steps"]}


def scipy_seconds(call, steps: float, repeats: int) -> float:
    call()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats * steps


def main() -> None:
    options = arguments(__doc__)
    particles = 2_000 if options.quick else 20_000
    grids = (24, 32) if options.quick else (32, 64, 128)
    methods: dict[str, tuple[jc.FiniteVolume | jc.ParticleField, float | Literal["auto"]]] = {
        "fv": (jc.FiniteVolume(), "auto"),
        "sipf": (jc.ParticleField(particles), DT),
        "nsipf": (jc.ParticleField(particles, interpolator=jc.nn.pretrained("phks-3d")), DT),
    }
    rows = []
    for k, n in enumerate(grids):
        problem = problem_on(n)
        row: dict[str, float] = {"grid": n}
        for name, (method, dt) in methods.items():
            found = timed(problem, method, dt)
            row |= {f"{name} [s]": found["seconds"], f"{name} compile": found["compile"]}
            if name == "fv":
                row["fv steps"] = found["steps"]
        steps = END / DT
        row["scipy, one call [s]"] = scipy_seconds(with_scipy(particles, n, "linear"), steps, 3)
        alone = scipy_seconds(per_particle(particles, n), steps * particles / FEW, 1)
        row["scipy, call per particle [s]"] = alone
        rows.append(row | dict(zip(("paper FD", "paper SIPF", "paper NSIPF"), PAPER[k], strict=True)))
    table(f"Seconds to t = {END:g} with P = {particles:,} (paper: other machine, unknown resolutions)", rows)
    ours = sum(row[f"{name} [s]"] for row in rows for name in methods)
    compiling = sum(row[f"{name} compile"] for row in rows for name in methods)
    print(f"\nall of ours: {ours:.1f} s, and {compiling:.1f} s of compilation")
    ratio = {f"nsipf over sipf, {row['grid']}^3": row["nsipf [s]"] / row["sipf [s]"] for row in rows}
    print("  ".join(f"{name}: {value:.2f}" for name, value in ratio.items()))
    save(options, "nsipf_table1", {"rows": rows, "seconds": ours, "compile_seconds": compiling, **ratio})


if __name__ == "__main__":
    main()
