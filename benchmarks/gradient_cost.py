"""What a gradient costs: time of `value_and_grad` over forward, and memory against the number of steps.

python benchmarks/gradient_cost.py [--quick]
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, interleaved, save, table

import jaxchemo as jc

METHODS = {"fv": jc.FiniteVolume(), "sipf": jc.ParticleField(5_000)}


def functional(method: jc.FiniteVolume | jc.ParticleField, n: int, steps: int, adjoint):
    """A number at the end of a 2D run, as a function of mobility and sensitivity."""
    grid = jc.Grid.box((-2.0, -2.0), (2.0, 2.0), (n, n))
    density = jc.initial.gaussian(mass=1.0, std=0.4)
    signal = jc.initial.gaussian(amplitude=2.0, std=0.8)

    def value(parameters):
        problem = jc.Problem(jc.models.phks(parameters[0], parameters[1]), grid, density, signal)
        end = jc.solve(
            problem, method, t1=steps * 1e-4, dt=1e-4, key=jax.random.key(0), adjoint=adjoint, throw=False
        ).final
        return jnp.mean(end.density**2) + jnp.mean(end.signal)

    return value


def cost(n: int, steps: int, rounds: int) -> list[dict]:
    at = jnp.array([0.1, 1.0])
    rows = []
    for name, method in METHODS.items():
        calls = {"forward": jax.jit(functional(method, n, steps, jc.Forward()))}
        for adjoint in (jc.Remat(), jc.Direct()):
            calls[repr(adjoint)] = jax.jit(jax.value_and_grad(functional(method, n, steps, adjoint)))
        calls["Forward(), one direction"] = jax.jit(
            lambda v, f=functional(method, n, steps, jc.Forward()): jax.jvp(f, (v,), (jnp.ones_like(v),))
        )
        seconds = interleaved({k: (lambda call=call: call(at)) for k, call in calls.items()}, rounds)
        for kind, value in seconds.items():
            row = {"method": name, "grid": f"{n}^2", "steps": steps, "what": kind}
            rows.append({**row, "ms": value * 1e3, "over forward": value / seconds["forward"]})
    return rows


def memory(n: int, numbers: list[int]) -> list[dict]:
    """Temporary memory of the compiled gradient, as the compiler plans it."""
    at, rows = jnp.array([0.1, 1.0]), []
    for name, method in METHODS.items():
        for adjoint in (jc.Remat(), jc.Direct()):
            sizes = []
            for steps in numbers:
                gradient = jax.jit(jax.value_and_grad(functional(method, n, steps, adjoint)))
                analysis: Any = gradient.lower(at).compile().memory_analysis()
                sizes.append(analysis.temp_size_in_bytes / 2**20)
            exponent = np.polyfit(np.log(numbers), np.log(sizes), 1)[0]
            row = {"method": name, "grid": f"{n}^2", "adjoint": repr(adjoint)}
            row |= {f"{steps} steps, MiB": size for steps, size in zip(numbers, sizes, strict=True)}
            rows.append(row | {"exponent": exponent})
    return rows


def main() -> None:
    options = arguments(__doc__)
    times = cost(*((64, 100, 3) if options.quick else (128, 400, 5)))
    table("Gradient over forward, float32", times)
    sizes = memory(64, [256, 1024] if options.quick else [256, 512, 1024, 2048, 4096])
    table("Peak temporary memory of a gradient", sizes)
    save(options, "gradient_cost", {"time": times, "memory": sizes})


if __name__ == "__main__":
    main()
