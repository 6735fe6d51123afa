"""Second derivatives in every mode that a method claims: the same numbers, and those of differences of gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.initial import Random
from jaxchemo.models import RunAndTumble

KEY = jax.random.key(0)
LINE = jc.Grid.box(0.0, 1.0, 8)
PLANE = jc.Grid.box((0.0, 0.0), (1.0, 1.0), (8, 8))
RING = jc.Grid.box(0.0, 1.0, 8, jc.Periodic())
WAVE = jc.initial.function(lambda x: 1 + 0.5 * jnp.sin(2 * jnp.pi * x[..., 0]))


def food(parameters, grid=LINE):
    centre = (0.4,) * grid.ndim
    start = jc.initial.gaussian(mass=1.0, center=centre, std=0.2)
    return jc.Problem(
        jc.models.phks(*parameters), grid, start, jc.initial.gaussian(amplitude=2.0, center=centre, std=0.4)
    )


def secreted(parameters):
    return jc.Problem(jc.models.keller_segel(*parameters), RING, WAVE, jc.initial.uniform(amplitude=1.0))


def attraction(parameters):
    model = jc.models.keller_segel(*parameters, relaxation=0)
    return jc.Problem(model, jc.FreeSpace(2), jc.initial.gaussian(mass=1.0, std=0.5))


def swimmers(parameters):
    speed, rate = parameters
    return jc.Problem(RunAndTumble(speed, rate), RING, WAVE)


def densities(final):
    return jnp.sum(final.density**2)


def spread(final):
    return jnp.mean(jnp.sum(final.positions**2, axis=-1))


# `Adaptive` is not here: its inner steps have one derivative, as its docstring says.
CASES = {
    "finite volumes": (jc.FiniteVolume(jc.SSPRK2()), food, densities),
    "finite volumes, Strang": (jc.FiniteVolume(jc.Strang()), food, densities),
    "finite volumes, implicit": (jc.FiniteVolume(jc.IMEXRosenbrock()), secreted, densities),
    "spectral": (jc.Spectral(), secreted, densities),
    "particles and a field": (jc.ParticleField(40), lambda p: food(p, PLANE), spread),
    "interacting particles": (jc.InteractingParticles(20, points=Random()), attraction, spread),
    "kinetic": (jc.Kinetic(), swimmers, densities),
    "Fokker-Planck": (jc.FokkerPlanck(), swimmers, densities),
}
AT, STEP = jnp.array([0.05, 0.3]), 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_all_modes_agree_with_differences(name):
    method, build, measure = CASES[name]

    def through(adjoint):
        def value(parameters):
            key = KEY if method.stochastic else None
            run = jc.solve(build(parameters), method, t1=0.06, dt=0.02, key=key, adjoint=adjoint, throw=False)
            return measure(run.final)

        return value

    modes = {}
    if method.forward_mode:
        modes["forward over forward"] = jax.jit(jax.jacfwd(jax.jacfwd(through(jc.Forward()))))
    if method.reverse_mode:
        gradient = jax.jacrev(through(jc.Remat()))
        modes["reverse over reverse"] = jax.jit(jax.jacrev(gradient))
        modes["reverse over reverse, directly"] = jax.jit(jax.jacrev(jax.jacrev(through(jc.Direct()))))
        if method.forward_mode:
            modes["forward over reverse"] = jax.jit(jax.jacfwd(gradient))
    first = jax.jit((jax.jacrev if method.reverse_mode else jax.jacfwd)(through(jc.Direct())))
    steps = STEP * jnp.diag(AT)
    differences = np.stack([(first(AT + h) - first(AT - h)) / (2 * h.sum()) for h in steps])
    for mode, hessian in modes.items():
        np.testing.assert_allclose(
            hessian(AT), differences, rtol=1e-4, atol=1e-5 * np.abs(differences).max(), err_msg=mode
        )


def test_every_method_that_claims_derivatives_of_numbers_is_here():
    # Flows fit their path anew, and the turns of agents are jumps: neither has the derivative of a run in its numbers.
    others = {jc.LagrangianFlow, jc.PriorFlow, jc.Agents}
    assert {type(method) for method, _, _ in CASES.values()} | others == set(jc.methods.METHODS)
