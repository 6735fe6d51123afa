"""Numeric self-test of a machine and a JAX version, in float32 and float64: run it before trusting either.

Compilers have returned wrong numbers for scatters and gathers before. Each line compares the compiled library with
plain numpy, or with an identity that must hold to round-off.

    python benchmarks/selftest.py
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, save, table

import jaxchemo as jc
from jaxchemo.fields import bernoulli
from jaxchemo.particles import deposit, gather, prefilter


def checks(dtype) -> list[dict]:
    tiny = float(jnp.finfo(dtype).eps)
    rows = []

    def add(name: str, error, bound: float) -> None:
        rows.append({"precision": np.dtype(dtype).name, "check": name, "error": float(error), "bound": bound})

    grid = jc.Grid.box((-1.0,) * 3, (1.0,) * 3, (24, 20, 16))
    draw = np.random.default_rng(0)
    x = tuple(jnp.asarray(draw.uniform(-1, 1, 50_000), dtype) for _ in range(3))
    field = jnp.asarray(draw.normal(size=grid.shape), dtype)
    amount = jnp.asarray(draw.uniform(size=50_000), dtype)
    for order in range(4):
        dumped = jax.jit(lambda x, a, order=order: deposit(x, a, grid, order))(x, amount)
        seen = jax.jit(lambda f, x, order=order: gather(f, x, grid, order)[0])(field, x)
        left, right = jnp.vdot(dumped, field), jnp.vdot(amount, seen)
        scale = jnp.linalg.norm(dumped) * jnp.linalg.norm(field)
        add(f"deposit and gather are adjoint, order {order}", abs(left - right) / scale, 500 * tiny)
        add(f"deposit conserves, order {order}", abs(dumped.sum() / amount.sum() - 1), 500 * tiny)
    cells = np.stack([np.asarray(c) for c in grid.cell_of(x)])
    counted = np.zeros(grid.shape)
    np.add.at(counted, tuple(cells), 1.0)
    add("histogram against numpy", np.abs(np.asarray(deposit(x, 1.0, grid, 0)) - counted).max(), 0.0)
    crowded = tuple(jnp.full(200_000, 0.01, dtype) for _ in range(3))
    add("contended deposit", abs(float(deposit(crowded, 1.0, grid, 0).sum()) - 200_000), 0.0)
    smooth = jnp.asarray(np.cos(np.asarray(grid.centers) @ np.array([1.0, 2.0, 0.5])), dtype)
    centers = tuple(c.reshape(-1).astype(dtype) for c in jnp.moveaxis(grid.centers, -1, 0))
    through = gather(prefilter(smooth, grid, 3), centers, grid, 3)[0].reshape(grid.shape)
    add("cubic spline passes through its data", jnp.abs(through - smooth).max(), 100 * tiny)
    w = np.concatenate([np.linspace(-60, 60, 4001), [0.0]]).astype(dtype).astype(float)
    exact = np.where(w == 0, 1.0, w / np.where(w == 0, 1.0, np.expm1(w)))
    add("Bernoulli function", np.max(np.abs(np.asarray(bernoulli(jnp.asarray(w, dtype))) / exact - 1)), 8 * tiny)

    box = jc.Grid.box((-2.0, -2.0), (2.0, 2.0), (48, 48))
    density = jc.initial.array(jc.initial.gaussian(mass=1.0, std=0.3).on_grid(box).astype(dtype))
    signal = jc.initial.array(jc.initial.gaussian(amplitude=2.0, std=0.6).on_grid(box).astype(dtype))
    problem = jc.Problem(jc.models.phks(0.1, 1.0), box, density, signal)
    end = jc.solve(problem, jc.FiniteVolume(), t1=0.5, dt=2e-3).final
    add("finite volumes keep mass", abs(box.integrate(end.density) / box.integrate(density.values) - 1), 100 * tiny)
    add("finite volumes stay positive", max(0.0, -float(end.density.min())), 0.0)
    cloud = jc.solve(problem, jc.ParticleField(5_000), t1=0.5, dt=2e-3, key=jax.random.key(0)).final
    add("particles keep mass", abs(box.integrate(cloud.density) / box.integrate(density.values) - 1), 500 * tiny)

    def end_moment(chi, method):
        moved = problem.replace(model=jc.models.phks(0.1, chi))
        last = jc.solve(moved, method, t1=0.1, dt=5e-3, key=jax.random.key(0)).final
        return jnp.sum(last.density.astype(dtype) * jnp.sum(box.centers**2, axis=-1).astype(dtype))

    step = float(np.cbrt(tiny))
    for method in (jc.FiniteVolume(), jc.ParticleField(500)):
        slope = float(jax.grad(end_moment)(jnp.asarray(1.0, dtype), method))
        ends = [float(end_moment(jnp.asarray(1 + s, dtype), method)) for s in (step, -step)]
        numeric = (ends[0] - ends[1]) / (2 * step)
        bound = 1e-6 if dtype == jnp.float64 else 5e-2
        add(f"gradient against differences, {method.name}", abs(slope / numeric - 1), bound)
    return rows


def main() -> int:
    options = arguments(__doc__)
    rows = []
    for dtype in (jnp.float32, jnp.float64):
        jax.config.update("jax_enable_x64", dtype == jnp.float64)
        rows += checks(dtype)
    for row in rows:
        row["passed"] = row["error"] <= row["bound"]
    table(f"Numeric self-test, jax {jax.__version__}", rows)
    save(options, "selftest", {"rows": rows})
    return 0 if all(row["passed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
