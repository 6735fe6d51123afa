"""Fully parabolic Keller-Segel on a periodic box: time to a given error, beside py-pde, scipy and exponax.

python benchmarks/keller_segel_peers.py [--quick]

Minimal model with mobility 0.1, sensitivity 2, and a signal that diffuses (1), decays (1) and is produced (1), on
`[0, 2 pi]^d` from smooth waves to t = 0.4: in 2D the density's maximum grows from 1.5 to 2.5. All in float64. The
error is the relative L2 distance of the density from a run of `Spectral()` on a grid at least twice as fine: of cell
averages where a solver has cell averages (ours), of values at the centres where it has values (the peers).

Second-order schemes all have to come within 1.2 times the error that finite volumes have on that grid at small steps,
spectral ones within 1e-6, or 1.2 times what is left at small steps. Each takes about the fewest steps that do. Times
are medians of runs taken in turn, of a single one where it takes more than five seconds; compilation is apart.

- py-pde (numba): explicit Euler just below the limit of stability, in one thread or in several, whichever is faster in
  a trial; both are in its compilation. At 128^2 its Runge-Kutta scheme took four times as long, its adaptive Euler a
  quarter longer. The drift is written as `grad u . grad c + u lap c`: as `div(u grad c)`, which py-pde differences over
  two cells, its error is five times as large.
- scipy: `solve_ivp` (RK23) on vectorised centred fluxes; relative tolerance 1e-4, or the next power of ten that does.
- exponax: its ETDRK2 and ETDRK4 with the nonlinearity below, the fewest transforms that the equation needs.
"""

import importlib.util
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import _report
import jax
import jax.numpy as jnp
import numpy as np

import jaxchemo as jc

MOBILITY, SENSITIVITY, DECAY = 0.1, 2.0, 1.0
LENGTH, T1 = 2 * math.pi, 0.4
TARGET = 1e-6  # of spectral schemes
SLACK = 1.2  # over what a scheme has at small steps
LONG = 5.0  # seconds of a run that is timed only once


def centres(n: int, d: int) -> np.ndarray:
    return np.stack(np.meshgrid(*[(np.arange(n) + 0.5) * LENGTH / n] * d, indexing="ij"))


def initial(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Values at the centres."""
    x = centres(n, d)
    density = 1 + 0.5 * np.cos(x[0]) * np.cos(2 * x[1])
    if d == 3:
        density = 1 + (density - 1) * np.cos(x[2])
    return density, 1 + 0.3 * np.cos(x[0] - x[1])


def blurred(values: np.ndarray, power: int = 1) -> np.ndarray:
    """Cell averages of a field with these values at the centres; the reverse with power -1."""
    modes = np.fft.fftn(values)
    for axis, n in enumerate(values.shape):
        modes = (
            modes * np.sinc(np.fft.fftfreq(n)).reshape([-1 if a == axis else 1 for a in range(values.ndim)]) ** power
        )
    return np.fft.ifftn(modes).real


def coarser(averages: np.ndarray) -> np.ndarray:
    """Averages over cells twice as large."""
    for axis in range(averages.ndim):
        averages = np.moveaxis(averages, axis, -1)
        averages = np.moveaxis(0.5 * (averages[..., ::2] + averages[..., 1::2]), -1, axis)
    return averages


def distance(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def problem(n: int, d: int) -> jc.Problem:
    grid = jc.Grid.box((0.0,) * d, (LENGTH,) * d, (n,) * d, jc.Periodic())
    density, signal = (jc.initial.array(blurred(field)) for field in initial(n, d))
    return jc.Problem(jc.models.keller_segel(MOBILITY, SENSITIVITY, decay=DECAY), grid, density, signal)


def library(n: int, d: int, method: Any) -> Callable[[int], Callable[[], Any]]:
    """From a number of steps to a run that gives the density at the end, or NaN if it went wrong."""
    posed = problem(n, d)

    def with_steps(steps: int) -> Callable[[], Any]:
        def run():
            solution = jc.solve(posed, method, t1=T1, dt=T1 / steps, throw=False)
            return jnp.where(solution.result == jc.RESULTS.successful, solution.final.density, jnp.nan)

        return run

    return with_steps


def stable_steps(n: int, d: int, method: jc.FiniteVolume) -> int:
    posed = problem(n, d)
    dt = float(method.stable_dt(posed, method.init(posed)))
    return math.ceil(T1 / dt * 1.3)  # the drift grows with the pattern


def pypde(n: int, d: int) -> Callable[[int], Callable[[], Any]]:
    import pde

    grid = pde.CartesianGrid([(0, LENGTH)] * d, [n] * d, periodic=True)
    drift = f"{SENSITIVITY} * (dot(gradient(u), gradient(c)) + u * laplace(c))"
    equation = pde.PDE({"u": f"{MOBILITY} * laplace(u) - {drift}", "c": f"laplace(c) - {DECAY} * c + u"})
    start = pde.FieldCollection([pde.ScalarField(grid, field) for field in initial(n, d)])

    def trial(threads: str, dt: float) -> tuple[float, Callable]:
        """Seconds of a few steps, and the stepper, compiled: that takes half a minute or more."""
        pde.config["backend.numba.multithreading"] = threads
        stepper = pde.solvers.EulerSolver(equation, backend="numba").make_stepper(start, dt=dt)
        stepper(start.copy(), 0.0, dt)
        began = time.perf_counter()
        stepper(start.copy(), 0.0, 20 * dt)
        return time.perf_counter() - began, stepper

    def with_steps(steps: int) -> Callable[[], Any]:
        found = {threads: trial(threads, T1 / steps) for threads in ("never", "always")}
        shown = ", ".join(f"{seconds / 20 * 1e3:.3g} ms a step ({kind})" for kind, (seconds, _) in found.items())
        print(f"  py-pde with threads: {shown}", flush=True)
        stepper = min(found.values(), key=lambda both: both[0])[1]

        def run():
            state = start.copy()
            stepper(state, 0.0, T1)
            return state[0].data

        return run

    return with_steps


def scipy_lines(n: int, d: int) -> Callable[[int], Callable[[], Any]]:
    """`solve_ivp` has no number of steps: what counts here is 10^-k for the relative tolerance."""
    from scipy.integrate import solve_ivp

    h, shape, start = LENGTH / n, (2, *(n,) * d), np.stack(initial(n, d)).ravel()

    def rates(t, fields):
        u, c = fields.reshape(shape)
        out = np.stack([np.zeros_like(u), u - DECAY * c])
        for axis in range(d):
            above, rise = np.roll(u, -1, axis), (np.roll(c, -1, axis) - c) / h
            flux = SENSITIVITY * 0.5 * (u + above) * rise - MOBILITY / h * (above - u)
            out[0] -= (flux - np.roll(flux, 1, axis)) / h
            out[1] += (rise - np.roll(rise, 1, axis)) / h
        return out.ravel()

    def with_digits(digits: int) -> Callable[[], Any]:
        def run():
            tolerance = 10.0**-digits
            found = solve_ivp(rates, (0.0, T1), start, "RK23", t_eval=[T1], rtol=tolerance, atol=tolerance)
            return found.y[:, -1].reshape(shape)[0]

        return run

    return with_digits


def exponax(n: int, d: int, order: int) -> Callable[[int], Callable[[], Any]]:
    import exponax as ex
    from exponax.nonlin_fun import BaseNonlinearFun

    class Drift(BaseNonlinearFun):
        waves: Any

        def __init__(self, waves):
            super().__init__(d, n, dealiasing_fraction=2 / 3)
            self.waves = waves

        def __call__(self, u_hat):
            density, *slopes = self.ifft(jnp.concatenate([u_hat[:1], self.waves * u_hat[1:]]))
            flux = self.fft(density * jnp.stack(slopes))
            return jnp.stack([-SENSITIVITY * jnp.sum(self.waves * flux, axis=0), u_hat[0]])

    class KellerSegel(ex.BaseStepper):
        def __init__(self, dt: float):
            super().__init__(d, LENGTH, n, dt, num_channels=2, order=order)

        def _build_linear_operator(self, derivative_operator):
            square = jnp.sum(derivative_operator**2, axis=0, keepdims=True)
            return jnp.concatenate([MOBILITY * square, square - DECAY])

        def _build_nonlinear_fun(self, derivative_operator):
            return Drift(derivative_operator)

    start = jnp.stack(initial(n, d))

    def with_steps(steps: int) -> Callable[[], Any]:
        stepper = KellerSegel(T1 / steps)

        @jax.jit
        def run(fields):
            modes = ex.fft(fields, num_spatial_dims=d)
            modes, _ = jax.lax.scan(lambda modes, _: (stepper.step_fourier(modes), None), modes, length=steps)
            return ex.ifft(modes, num_spatial_dims=d, num_points=n)[0]

        return lambda: run(start)

    return with_steps


class Candidate:
    """One solver on one grid, and about the fewest steps with which it comes within the target."""

    def __init__(self, name: str, with_steps: Callable, exact: np.ndarray, target: float, steps: int, order: int):
        self.name, self.target, self.steps = name, target, steps
        for _ in range(12):
            start = time.perf_counter()
            self.run = with_steps(self.steps)
            self.before = time.perf_counter() - start
            self.error = distance(np.asarray(self.run()), exact)
            self.first = time.perf_counter() - start - self.before
            if self.error <= target:
                break
            excess = (self.error / target) ** (1 / order) if math.isfinite(self.error) else 2.0
            more = math.ceil(self.steps * min(10.0, max(1.1, excess)))
            self.steps = self.steps + 1 if name.startswith("scipy") else more
        # Neither of these compiles in its first run.
        ready = name.startswith(("scipy", "py-pde"))
        self.runs = [self.first] if ready and self.first > LONG else []
        print(f"  {name}: {self.steps} steps, error {self.error:.3g}, first run {self.first:.3g} s", flush=True)

    @property
    def seconds(self) -> float:
        """Median of the timed runs."""
        return statistics.median(self.runs)

    @property
    def compile_seconds(self) -> float:
        return self.before + max(0.0, self.first - self.seconds)


def in_turn(candidates: list[Candidate], rounds: int) -> None:
    for _ in range(rounds):
        for one in candidates:
            if one.runs and one.runs[0] > LONG:
                continue
            start = time.perf_counter()
            jax.block_until_ready(one.run())
            one.runs.append(time.perf_counter() - start)


def compared(n: int, d: int, averages: np.ndarray, rounds: int) -> tuple[list[dict], dict]:
    """Every solver at its fewest steps; `averages` are those of the reference on this grid."""
    values, installed = blurred(averages, -1), importlib.util.find_spec
    rosenbrock, explicit = jc.FiniteVolume(jc.IMEXRosenbrock()), jc.FiniteVolume()
    print(f"\n{n}^{d}", flush=True)
    floor = distance(np.asarray(library(n, d, rosenbrock)(n)()), averages)
    target = SLACK * floor
    second = [
        Candidate("FiniteVolume()", library(n, d, explicit), averages, target, stable_steps(n, d, explicit), 2),
        Candidate("FiniteVolume(IMEXRosenbrock())", library(n, d, rosenbrock), averages, target, 5 * n // 16, 2),
    ]
    if installed("pde") and installed("numba"):
        limit = math.ceil(1.01 * T1 * 2 * d * (n / LENGTH) ** 2)
        second.append(Candidate("py-pde (numba), Euler", pypde(n, d), values, target, limit, 1))
    else:
        print("  py-pde or numba is not installed: left out")
    if n**d < 512**2 or d == 3:
        second.append(Candidate("scipy, RK23", scipy_lines(n, d), values, target, 4, 1))
    else:
        print("  scipy takes several minutes here: left out")
    least = distance(np.asarray(library(n, d, jc.Spectral())(100)()), averages)
    smooth = max(TARGET, SLACK * least)
    spectral = [
        Candidate("Spectral(ETDRK2())", library(n, d, jc.Spectral(jc.ETDRK2())), averages, smooth, 256, 2),
        Candidate("Spectral()", library(n, d, jc.Spectral()), averages, smooth, 16, 4),
    ]
    if installed("exponax"):
        spectral += [
            Candidate("exponax, ETDRK2", exponax(n, d, 2), values, smooth, 256, 2),
            Candidate("exponax, ETDRK4", exponax(n, d, 4), values, smooth, 16, 4),
        ]
    else:
        print("  exponax is not installed: left out")
    rows = []
    for kind, group in (("second order", second), ("spectral", spectral)):
        in_turn(group, rounds)
        best = min(one.seconds for one in group[:2])
        for one in group:
            digits = one.name.startswith("scipy")
            rows.append(
                {
                    "grid": f"{n}^{d}",
                    "family": kind,
                    "solver": one.name,
                    "steps": "" if digits else one.steps,
                    "dt": f"rtol 1e-{one.steps}" if digits else T1 / one.steps,
                    "error": one.error,
                    "target": one.target,
                    "seconds": one.seconds,
                    "over our best": one.seconds / best,
                    "compile s": one.compile_seconds,
                }
            )
    return rows, {"finite volumes": floor, "spectral": least}


def reference(n: int, d: int) -> np.ndarray:
    """Cell averages of a spectral run, at steps at which its own error is far below the target."""
    averages = np.asarray(library(n, d, jc.Spectral())(60)())
    if not np.isfinite(averages).all():
        raise RuntimeError(f"The reference on {n}^{d} failed.")
    return averages


def growth(numbers: list[int], d: int, rounds: int) -> list[dict]:
    """Milliseconds of a step against the number of cells, and the exponent of a straight line through them."""
    methods = {
        "FiniteVolume()": jc.FiniteVolume(),
        "FiniteVolume(IMEXRosenbrock())": jc.FiniteVolume(jc.IMEXRosenbrock()),
        "Spectral(ETDRK2())": jc.Spectral(jc.ETDRK2()),
        "Spectral()": jc.Spectral(),
    }
    rows: list[dict] = [{"dimension": d, "solver": name} for name in methods]
    steps = {}
    for n in numbers:
        # Steps so short that all are stable: only their cost counts. Enough of them that a call takes long.
        steps[n] = max(4, round(2e6 / n**d))
        calls = {}
        for name, method in methods.items():
            posed = problem(n, d)

            def call(posed=posed, method=method, count=steps[n]):
                return jc.solve(posed, method, t1=count * 1e-6, dt=1e-6, throw=False).final.density

            calls[name] = call
        seconds = _report.interleaved(calls, rounds)
        for row in rows:
            row[f"{n}^{d}, ms"] = 1e3 * seconds[row["solver"]] / steps[n]
    for row in rows:
        times = [row[f"{n}^{d}, ms"] for n in numbers]
        row["exponent"] = float(np.polyfit(np.log([n**d for n in numbers]), np.log(times), 1)[0])
    return rows


def main() -> None:
    options = _report.arguments(__doc__ or "")
    jax.config.update("jax_enable_x64", True)
    rounds = 3 if options.quick else 5
    record: dict[str, Any] = {"rows": [], "error_at_small_steps": {}, "cost": {}}
    for d, sizes in ((2, [64, 128]), (3, [32])) if options.quick else ((2, [256, 512]), (3, [64])):
        averages, exact = reference(2 * sizes[-1], d), {}
        for n in reversed(sizes):
            averages = exact[n] = coarser(averages)
        for n in sizes:
            rows, record["error_at_small_steps"][f"{n}^{d}"] = compared(n, d, exact[n], rounds)
            record["rows"] += rows
            _report.table(f"Keller-Segel to t = {T1}, float64: time to a given error", rows)
            _report.save(options, "keller_segel_peers", record)
    sizes = {2: [32, 64, 128], 3: [16, 32]} if options.quick else {2: [64, 128, 256, 512, 1024], 3: [16, 32, 64, 128]}
    for d, numbers in sizes.items():
        record["cost"][f"{d}D"] = growth(numbers, d, 3)
        _report.table(f"A step against the number of cells, {d}D, float64", record["cost"][f"{d}D"])
        _report.save(options, "keller_segel_peers", record)


if __name__ == "__main__":
    main()
