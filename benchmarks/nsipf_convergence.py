"""The NSIPF paper's last figure: relative errors of density and concentration against P and dt, with fitted slopes.

`|u - u_ref| / |u_ref|` at t = 0.5, where u_ref is an NSIPF run with many more particles, or with a much smaller step;
densities after mollification by 0.25. The paper claims first order in the step; Monte Carlo says one half in particles.
Against the step, particles are many and their increments antithetic, so that their noise does not hide it.

    python benchmarks/nsipf_convergence.py            # about five minutes on two cores; also draws a figure
    python benchmarks/nsipf_convergence.py --quick
"""

import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, save, table

import jaxchemo as jc
from jaxchemo import plotting
from jaxchemo.analysis import relative_distance

END, CELLS, WIDTH = 0.5, 32, 0.25


def problem() -> jc.Problem:
    blobs = [jc.initial.gaussian(mass=1.5, center=(x, 0.0, 0.0), std=0.4) for x in (-1.2, 1.2)]
    return jc.Problem(
        model=jc.models.phks(0.1, 1.0),
        grid=jc.Grid.box((-4.0,) * 3, (4.0,) * 3, (CELLS,) * 3),
        density=jc.initial.mixture(blobs),
        signal=jc.initial.gaussian(amplitude=8.0, std=0.9),
    )


def final(particles: int, dt: float, seed: int, increments: jc.Normal | jc.Antithetic) -> tuple[jax.Array, jax.Array]:
    """Density and concentration at the end."""
    network = jc.nn.pretrained("phks-3d")
    points = jc.initial.Sobol() if isinstance(increments, jc.Antithetic) else jc.initial.Random()
    method = jc.ParticleField(particles, interpolator=network, increments=increments, points=points)
    end = jc.solve(problem(), method, t1=END, dt=dt, key=jax.random.key(seed), adjoint=jc.Forward()).final
    return end.density, end.signal


def distances(found, reference) -> tuple[float, float]:
    grid = problem().grid
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

    first = study(
        "P",
        numbers,
        lambda p: [final(p, 0.0125, seed, jc.Normal()) for seed in range(seeds)],
        final(many, 0.0125, 99, jc.Antithetic()),
    )
    table("Relative errors against P, dt = 0.0125", first[0])
    second = study(
        "dt",
        steps,
        lambda dt: [final(crowd, dt, seed, jc.Antithetic()) for seed in range(2)],
        final(crowd, finest, 99, jc.Antithetic()),
    )
    table(f"Relative errors against dt, P = {crowd:,}", second[0])
    slopes = first[2] | second[2]
    table("Fitted slopes", [slopes])
    for (_, curves, _), sizes, label, expected in ((first, numbers, "P", -0.5), (second, steps, "dt", 1.0)):
        figure = plotting.decays(
            sizes,
            {f"{name}, slope {slopes[f'{name} in {label}']:.2f}": errors for name, errors in curves.items()},
            xlabel={"P": "number of particles", "dt": "time step"}[label],
            ylabel="relative error",
            slopes=(expected,),
        )
        options.out.mkdir(parents=True, exist_ok=True)
        figure.savefig(options.out / f"nsipf_convergence_{label}.png")
    save(options, "nsipf_convergence", {"particles": first[0], "steps": second[0], "slopes": slopes})


if __name__ == "__main__":
    main()
