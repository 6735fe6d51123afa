"""The NSIPF paper's last figure: relative errors of density and concentration against P and dt, with fitted slopes.

`|u - u_ref| / |u_ref|` at t = 0.5, where u_ref is a run of the same scheme with many more particles, or with a much
smaller step; densities after mollification by 0.25. The paper claims first order in the step; Monte Carlo says one half
in particles. Against the step, particles are many and their increments antithetic, so that noise does not hide it. The
default scheme runs beside: it is unbiased, while a network that smooths by the number of particles is not quite.

    python benchmarks/nsipf_convergence.py            # about five minutes on two cores; also draws a figure
    python benchmarks/nsipf_convergence.py --quick
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, save, table
from particle_field_accuracy import CASES, END, WIDTH, box

import jaxchemo as jc
from jaxchemo import plotting
from jaxchemo.analysis import relative_distance
from jaxchemo.particles.interpolators import AbstractInterpolator

CELLS = 32


def problem() -> jc.Problem:
    case = CASES["two"]()
    return jc.Problem(case.model, box(CELLS), case.density, case.signal)


def final(
    interpolator: AbstractInterpolator, particles: int, dt: float, seed: int, increments: jc.Normal | jc.Antithetic
) -> tuple[jax.Array, jax.Array]:
    """Density and concentration at the end."""
    points = jc.initial.Sobol() if isinstance(increments, jc.Antithetic) else jc.initial.Random()
    method = jc.ParticleField(particles, interpolator=interpolator, increments=increments, points=points)
    end = jc.solve(problem(), method, t1=END, dt=dt, key=jax.random.key(seed), adjoint=jc.Forward()).final
    return end.density, end.signal


def distances(found, reference) -> tuple[float, float]:
    grid = problem().domain
    assert isinstance(grid, jc.Grid)
    density = relative_distance(found[0], reference[0], grid, WIDTH)
    return float(density), float(jnp.linalg.norm(found[1] - reference[1]) / jnp.linalg.norm(reference[1]))


def slope(x, errors: np.ndarray) -> float:
    return float(np.polyfit(np.log(x), np.log(np.sqrt(np.mean(errors**2, axis=1))), 1)[0])


def study(label: str, sizes, runs, reference) -> tuple[list[dict], dict[str, np.ndarray], dict[str, float]]:
    found = np.array([[distances(one, reference) for one in runs(size)] for size in sizes])  # sizes, seeds, 2
    curves = {"density": found[:, :, 0], "concentration": found[:, :, 1]}
    slopes = {f"{name} in {label}": slope(sizes, errors) for name, errors in curves.items()}
    rows = [
        {label: size, **{name: np.sqrt(np.mean(errors[k] ** 2)) for name, errors in curves.items()}}
        for k, size in enumerate(sizes)
    ]
    return rows, curves, slopes


def main() -> None:
    options = arguments(__doc__)
    quick = options.quick
    numbers = [500, 2_000] if quick else [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000]
    seeds, many = (2, 20_000) if quick else (4, 2**19)
    steps = [0.05, 0.025] if quick else [0.05, 0.025, 0.0125, 0.00625]
    crowd, finest = (20_000, 0.0125) if quick else (2**17, 0.00078125)

    schemes = {"nsipf": jc.nn.pretrained("phks-3d"), "sipf": jc.Histospline()}
    studies: dict[str, dict[str, tuple]] = {"P": {}, "dt": {}}
    for name, scheme in schemes.items():
        run = functools.partial(final, scheme)
        studies["P"][name] = study(
            "P",
            numbers,
            lambda p, run=run: [run(p, 0.0125, seed, jc.Normal()) for seed in range(seeds)],
            run(many, 0.0125, 99, jc.Antithetic()),
        )
        studies["dt"][name] = study(
            "dt",
            steps,
            lambda dt, run=run: [run(crowd, dt, seed, jc.Antithetic()) for seed in range(2)],
            run(crowd, finest, 99, jc.Antithetic()),
        )
        table(f"{name}: relative errors against P, dt = 0.0125", studies["P"][name][0])
        table(f"{name}: relative errors against dt, P = {crowd:,}", studies["dt"][name][0])
    slopes = [{"scheme": name, **studies["P"][name][2], **studies["dt"][name][2]} for name in schemes]
    table("Fitted slopes", slopes)
    options.out.mkdir(parents=True, exist_ok=True)
    for label, sizes, title, expected in (
        ("P", numbers, "number of particles", -0.5),
        ("dt", steps, "time step [time]", 1.0),
    ):
        curves = {
            f"{scheme}, {kind}, slope {found[2][f'{kind} in {label}']:.2f}": errors
            for scheme, found in studies[label].items()
            for kind, errors in found[1].items()
        }
        figure = plotting.decays(sizes, curves, xlabel=title, ylabel="relative error", slopes=(expected,))
        figure.savefig(options.out / f"nsipf_convergence_{label}.png")
    rows = {label: {name: found[0] for name, found in one.items()} for label, one in studies.items()}
    save(options, "nsipf_convergence", {"rows": rows, "slopes": slopes})


if __name__ == "__main__":
    main()
