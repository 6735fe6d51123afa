"""What the gradient of a long Keller-Segel run costs: 2,000 steps of finite volumes in 2D, time and memory.

python benchmarks/keller_segel_gradient.py [--quick]

Fully parabolic Keller-Segel between walls, in float32. `value_and_grad` of a number at the end with respect to the
mobility, the sensitivity and the initial density in every cell, by the default adjoint; beside it the forward run, and
forward mode in one direction of the same inputs. Memory is the temporary memory that the compiler plans. The gradient
by `Direct()`, which stores every state, is compiled for its memory and not run.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, interleaved, save, table

import jaxchemo as jc

DT = 1e-4


def functional(n: int, steps: int, adjoint: Any) -> Callable:
    """A number at the end of a run, as a function of mobility, sensitivity and initial density."""
    grid = jc.Grid.box((-1.0, -1.0), (1.0, 1.0), (n, n))
    signal = jc.initial.gaussian(amplitude=1.0, std=0.4)

    def value(inputs):
        mobility, sensitivity, density = inputs
        model = jc.models.keller_segel(mobility, sensitivity, decay=1.0)
        problem = jc.Problem(model, grid, jc.initial.array(density), signal)
        end = jc.solve(problem, jc.FiniteVolume(), t1=steps * DT, dt=DT, adjoint=adjoint, throw=False)
        return jnp.mean(end.final.density**2) + jnp.mean(end.final.signal), end.result == jc.RESULTS.successful

    return value


def initial(n: int) -> tuple[Any, Any, Any]:
    x = (np.arange(n) + 0.5) * 2 / n - 1
    density = 1 + 0.5 * np.cos(np.pi * x[:, None]) * np.cos(2 * np.pi * x)
    return jnp.float32(0.1), jnp.float32(1.0), jnp.asarray(density, jnp.float32)


def main() -> None:
    options = arguments(__doc__)
    n, steps, rounds = (128, 2000, 2) if options.quick else (256, 2000, 3)
    at = initial(n)
    by_default, forward = functional(n, steps, jc.Remat()), functional(n, steps, jc.Forward())
    calls = {
        "forward": jax.jit(functional(n, steps, jc.Remat())),
        "value_and_grad, Remat()": jax.jit(jax.value_and_grad(by_default, has_aux=True)),
        "jvp, Forward(), one direction": jax.jit(lambda v: jax.jvp(lambda w: forward(w)[0], (v,), (v,))),
        "value_and_grad, Direct()": jax.jit(jax.value_and_grad(functional(n, steps, jc.Direct()), has_aux=True)),
    }
    compiled = {name: call.lower(at).compile() for name, call in calls.items()}
    (_, fine), gradient = compiled["value_and_grad, Remat()"](at)
    finite = all(bool(jnp.isfinite(part).all()) for part in gradient)
    if not (bool(fine) and finite):
        raise RuntimeError("The run failed, or its gradient is not finite.")
    timed = {name: (lambda call=call: call(at)) for name, call in compiled.items() if "Direct" not in name}
    seconds = interleaved(timed, rounds)
    rows = []
    for name, call in compiled.items():
        analysis: Any = call.memory_analysis()
        row = {"grid": f"{n}^2", "steps": steps, "what": name}
        if name in seconds:
            row |= {"seconds": seconds[name], "over forward": seconds[name] / seconds["forward"]}
        rows.append(row | {"temporary MiB": analysis.temp_size_in_bytes / 2**20})
    table("Gradient with respect to mobility, sensitivity and initial density, FiniteVolume(), float32", rows)
    save(options, "keller_segel_gradient", {"rows": rows})


if __name__ == "__main__":
    main()
