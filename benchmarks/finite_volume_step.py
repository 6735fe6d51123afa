"""One explicit step of PHKS by fitted fluxes in 3D, against py-pde, numpy, and the bytes that it must move.

Density: explicit Euler with Scharfetter-Gummel fluxes; signal: `c exp(-dt rho)`, exact. Below it the library's own
steps, with half steps of the reaction on both sides, and the look for NaN and negative densities. Everything in
float32, except py-pde, whose compiled stepper works in float64. Candidates take turns, medians of all rounds;
compilation is apart.

`centred` has the same passes over memory with centred differences for a flux (no exponential, not positive): the least
that a step of this form costs here, whatever its flux. `512-bit` is the same program compiled for wide vectors (on
CPUs that have them): what `XLA_FLAGS=--xla_cpu_prefer_vector_width=512` does for everything.

The floor is the time to read and write both fields once at the machine's copy bandwidth, measured on arrays far larger
than any cache. The fields of 128^3 cells fit into the cache of a server: copies of the same size are listed as well.
"""

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import _report
import jax
import jax.numpy as jnp
import numpy as np

import jaxchemo as jc
from jaxchemo.domain import Grid, NoFlux
from jaxchemo.fields import Drift, bernoulli, drift_diffusion
from jaxchemo.methods import AbstractStepper
from jaxchemo.methods.grids.semi_discrete import FieldState

MOBILITY, SENSITIVITY = 0.1, 1.0


def initial(n: int) -> tuple[np.ndarray, np.ndarray]:
    x = (np.arange(n) + 0.5) * 2 / n - 1
    square = x[:, None, None] ** 2 + x[:, None] ** 2 + x**2
    return np.exp(-square / 0.08).astype(np.float32), 2 * np.exp(-square / 0.32).astype(np.float32)


def time_step(n: int) -> float:
    return 0.1 * (2 / n) ** 2 / MOBILITY


def box(n: int) -> Grid:
    return Grid.box((-1.0,) * 3, (1.0,) * 3, (n,) * 3, NoFlux())


def our_step(n: int) -> Callable:
    """The step measured: a function of density and signal."""
    grid, dt = box(n), time_step(n)

    def step(rho, c):
        # The signal eats with the new density (Lie splitting): both fields can then be updated in place. With the old
        # one, XLA copies both in every step, a third of the time at 128^3.
        rho = rho + dt * drift_diffusion(rho, jnp.float32(MOBILITY), grid, [Drift(SENSITIVITY * c, "c")], name="rho")
        return rho, c * jnp.exp(-dt * rho)

    return step


def centred_step(n: int) -> Callable:
    """The same passes over memory, with a flux that costs next to nothing."""
    grid, dt = box(n), time_step(n)

    def step(rho, c):
        rate = 0.0
        for axis in range(3):
            below, above = (jax.lax.slice_in_dim(rho, a, a + n - 1, axis=axis) for a in (0, 1))
            rise = jnp.diff(c, axis=axis) * (SENSITIVITY / MOBILITY)
            flux = MOBILITY / grid.spacing[axis] * (0.5 * rise * (below + above) + below - above)
            rate -= grid.divergence(jnp.pad(flux, [(int(i == axis),) * 2 for i in range(3)]), axis)
        rho = rho + dt * rate
        return rho, c * jnp.exp(-dt * rho)

    return step


def library_step(n: int, stepper: AbstractStepper) -> Callable:
    """A whole step of the method, its checks for NaN and positivity included."""
    problem = jc.Problem(
        jc.models.phks(MOBILITY, SENSITIVITY),
        box(n),
        jc.initial.gaussian(amplitude=1.0, std=0.2),
        jc.initial.gaussian(amplitude=2.0, std=0.4),
    )
    method, dt = jc.FiniteVolume(stepper), jnp.float32(time_step(n))

    def step(rho, c, fine):
        state = FieldState({"rho": rho}, {"c": c})
        state, info = method.step(problem, state, jnp.asarray(0), jnp.float32(0), dt)
        return state.density["rho"], state.signal["c"], fine & (info.result == jc.RESULTS.successful)

    return step


class Looped:
    """Many steps in one compiled, donated loop; each call goes on from where the last one ended."""

    def __init__(self, step: Callable, fields: tuple[Any, ...], steps: int, **options: Any):
        def loop(*state):
            return jax.lax.fori_loop(0, steps, lambda _, state: step(*state), state)

        start = time.perf_counter()
        self.compiled = jax.jit(loop, donate_argnums=(0, 1)).lower(*fields).compile(compiler_options=options)
        self.compile_seconds, self.steps = time.perf_counter() - start, steps
        self.state = tuple(jnp.array(field) for field in fields)

    def __call__(self):
        self.state = self.compiled(*self.state)
        return self.state


class Numpy:
    """The same scheme, vectorised: one `expm1` per face."""

    compile_seconds = 0.0

    def __init__(self, n: int, steps: int):
        self.n, self.steps, self.state = n, steps, initial(n)

    def __call__(self):
        rho, c = self.state
        dt, h = np.float32(time_step(self.n)), np.float32(2 / self.n)
        for _ in range(self.steps):
            rate = np.zeros_like(rho)
            for axis in range(3):
                lower, upper = (
                    tuple(slice(*cut) if i == axis else slice(None) for i in range(3)) for cut in ((0, -1), (1, None))
                )
                w = np.float32(SENSITIVITY / MOBILITY) * (c[upper] - c[lower])
                near = np.abs(w) < 1e-4
                down = np.where(near, 1 - w / 2, w / np.expm1(np.where(near, 1, w)))
                flux = np.float32(MOBILITY) / h**2 * ((down + w) * rho[lower] - down * rho[upper])
                rate[lower] -= flux
                rate[upper] += flux
            rho = rho + dt * rate
            c = c * np.exp(-dt * rho)
        self.state = rho, c
        return self.state


class PyPDE:
    """py-pde with its numba backend: centred differences of the same equations, in its own compiled stepper."""

    def __init__(self, n: int, steps: int):
        import pde

        grid = pde.CartesianGrid([(-1, 1)] * 3, [n] * 3)
        self.state = pde.FieldCollection([pde.ScalarField(grid, field) for field in initial(n)])
        density = f"{MOBILITY} * laplace(rho) - {SENSITIVITY} * divergence(rho * gradient(c))"
        equation = pde.PDE({"rho": density, "c": "-rho * c"}, bc={"derivative": 0})
        self.steps, self.dt = steps, time_step(n)
        start = time.perf_counter()
        self.stepper = pde.solvers.EulerSolver(equation, backend="numba").make_stepper(self.state, dt=self.dt)
        self.stepper(self.state, 0.0, self.dt)
        self.compile_seconds = time.perf_counter() - start

    def __call__(self):
        self.stepper(self.state, 0.0, self.steps * self.dt)


class NumpyCopy:
    """Arrays copied by one core."""

    compile_seconds = 0.0

    def __init__(self, fields: tuple[np.ndarray, ...], steps: int):
        self.source, self.steps = fields, steps
        self.target = tuple(np.ones_like(field) for field in fields)

    def __call__(self):
        for _ in range(self.steps):
            for source, target in zip(self.source, self.target, strict=True):
                np.copyto(target, source)


def copies(fields: tuple[np.ndarray, np.ndarray], steps: int) -> dict[str, Any]:
    """Two arrays read and written, by JAX in place, and by numpy where that is the same memory."""
    candidates: dict[str, Any] = {"copy (jax)": Looped(lambda a, b: (a + 1, b + 1), fields, steps)}
    if jax.default_backend() == "cpu":
        candidates["copy (numpy)"] = NumpyCopy(fields, steps)
    return candidates


def copy_bandwidth(rounds: int) -> float:
    """The best that a copy of 2 x 256 MB reaches here, reads and writes counted [bytes/s]."""
    large = (np.ones(2**26, np.float32), np.ones(2**26, np.float32))
    seconds = _report.interleaved(copies(large, 1), rounds)
    return 4 * large[0].nbytes / min(seconds.values())


def flux_error() -> float:
    """Largest relative error of the float32 weights of a flux, |w| <= 80, against float64."""
    rng = np.random.default_rng(0)
    w = np.concatenate(
        [rng.uniform(-80, 80, 200_000), rng.uniform(-2, 2, 200_000), 10.0 ** rng.uniform(-30, 0, 10_000)]
    )
    w = w.astype(np.float32)
    exact = w.astype(float) / np.expm1(w.astype(float))
    return float(np.max(np.abs(np.asarray(jax.jit(bernoulli)(w), float) / exact - 1)))


def measure(n: int, rounds: int, bandwidth: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    steps = max(4, round(100 * (64 / n) ** 3))
    fields = initial(n)
    checked = (*fields, np.array(True))
    candidates: dict[str, Any] = {
        "jaxchemo": Looped(our_step(n), fields, steps),
        "FiniteVolume(Strang(Euler()))": Looped(library_step(n, jc.Strang(jc.Euler())), checked, steps),
        "FiniteVolume(), two stages": Looped(library_step(n, jc.Strang()), checked, steps),
        "centred": Looped(centred_step(n), fields, steps),
    } | copies(fields, steps)
    if jax.default_backend() == "cpu":  # on a GPU these would be other programs on another machine
        candidates["512-bit"] = Looped(our_step(n), fields, steps, xla_cpu_prefer_vector_width=512)
        candidates["numpy"] = Numpy(n, 1)
        if importlib.util.find_spec("pde") and importlib.util.find_spec("numba"):
            candidates["py-pde (numba)"] = PyPDE(n, 2)
    seconds = _report.interleaved(candidates, rounds)
    step = {name: seconds[name] / candidate.steps for name, candidate in candidates.items()}
    floor = 4 * fields[0].nbytes / bandwidth
    rows = [
        {
            "grid": f"{n}^3",
            "what": name,
            "ms per step": 1e3 * value,
            "times ours": value / step["jaxchemo"],
            "times floor": value / floor,
            "compile s": candidates[name].compile_seconds if name in candidates else "",
        }
        for name, value in (step | {"floor": floor}).items()
    ]
    mass = [float(np.sum(np.asarray(rho), dtype=float)) for rho in (fields[0], candidates["jaxchemo"].state[0])]
    summary = {
        "shape": [n] * 3,
        "seconds_per_step": step,
        "compile_seconds": {name: candidate.compile_seconds for name, candidate in candidates.items()},
        "floor_seconds": floor,
        "over_bandwidth_floor": step["jaxchemo"] / floor,
        "speedup": {name: step[name] / step["jaxchemo"] for name in ("numpy", "py-pde (numba)") if name in step},
        "relative_mass_drift": mass[1] / mass[0] - 1,
        "minimum_density": float(jnp.min(candidates["jaxchemo"].state[0])),
    }
    return rows, summary


def main() -> None:
    options = _report.arguments(__doc__ or "")
    rounds = 3 if options.quick else 9
    bandwidth = copy_bandwidth(rounds)
    rows, results = [], {}
    for n in (32, 64) if options.quick else (64, 128):
        more, results[f"{n}^3"] = measure(n, rounds, bandwidth)
        rows += more
    error = flux_error()
    _report.table("Explicit PHKS step, exponentially fitted, float32", rows)
    print(f"\ncopy bandwidth {bandwidth / 1e9:.3g} GB/s; relative error of the flux weights, |w| <= 80: {error:.2g}")
    for name, result in results.items():
        factors = "".join(f", {factor:.3g}x faster than {peer}" for peer, factor in result["speedup"].items())
        print(f"{name}: {result['over_bandwidth_floor']:.3g}x the bandwidth floor{factors}")
    record = {"results": results, "copy_bytes_per_second": bandwidth, "flux_relative_error_float32": error}
    _report.save(options, "finite_volume_step", record)


if __name__ == "__main__":
    main()
