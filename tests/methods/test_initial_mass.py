"""One problem, one mass: what each method makes of an initial condition that the domain cuts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.models import Model, Reversal, RunAndTumble, Species

CUT = {
    "center 0.8": jc.initial.gaussian(mass=1.0, std=0.2, center=0.8),
    "center 1": jc.initial.gaussian(mass=1.0, std=0.2, center=1.0),
    "center 1.5": jc.initial.gaussian(mass=1.0, std=0.2, center=1.5),
    "large ball": jc.initial.ball(mass=1.0, radius=5.0),
    "mixture": jc.initial.mixture(
        [jc.initial.gaussian(mass=0.7, std=0.2, center=-1.0), jc.initial.ball(mass=2.0, radius=2.0)]
    ),
}
# The numbers: those of the normal distribution, a fifth of the ball, and half of each.
MASSES = {"center 0.8": 0.84134475, "center 1": 0.5, "center 1.5": 0.00620967, "large ball": 0.2, "mixture": 1.35}
METHODS = {
    "finite volumes": (jc.FiniteVolume(), None),
    "spectral": (jc.Spectral(), None),
    "particles": (jc.ParticleField(512), None),
    "agents": (jc.Agents(512), RunAndTumble(1.0, 1.0, Reversal())),
    "kinetic": (jc.Kinetic(), RunAndTumble(1.0, 1.0, Reversal())),
    "fokker-planck": (jc.FokkerPlanck(), RunAndTumble(1.0, 1.0, Reversal())),
}


@pytest.mark.parametrize("walls", [jc.NoFlux(), jc.Periodic()], ids=["closed", "periodic"])
@pytest.mark.parametrize("case", CUT)
@pytest.mark.filterwarnings("ignore:`density` has .* of its mass outside")
def test_all_methods_start_with_the_mass_that_is_in_the_domain(case, walls):
    """Particles and formulas to round-off; cell averages to their quadrature."""
    grid, key = jc.Grid.box(-1.0, 1.0, 64, walls), jax.random.key(0)
    for name, (method, cells) in METHODS.items():
        if name == "spectral" and not isinstance(walls, jc.Periodic):
            continue
        problem = jc.Problem(cells or Model({"u": Species(0.1)}), grid, CUT[case])
        method.check(problem)
        density = method.snapshot(problem, method.init(problem, key=key)).density
        assert float(grid.integrate(density)) == pytest.approx(MASSES[case], rel=2e-6), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`density` has .* of its mass outside")
def test_the_mass_of_particles_follows_the_numbers_of_what_is_cut():
    """As the normal distribution does, where the field on the grid does too."""
    grid = jc.Grid.box(-1.0, 1.0, 64)

    def masses(center, std):
        start = jc.initial.gaussian(mass=1.0, std=std, center=center)
        problem = jc.Problem(Model({"u": Species(0.1)}), grid, start)
        found = []
        for method in (jc.ParticleField(64), jc.FiniteVolume()):
            state = method.init(problem, key=jax.random.key(0))
            found.append(grid.integrate(method.snapshot(problem, state).density))
        return jnp.stack(found)

    for argument in (0, 1):
        by_particles, by_field = jax.jit(jax.jacfwd(masses, argument))(0.9, 0.2)
        numbers = [0.9, 0.2]
        ends = []
        for h in (1e-5, -1e-5):
            moved = list(numbers)
            moved[argument] += h
            ends.append(np.asarray(masses(*moved)))
        differences = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose([by_particles, by_field], differences, rtol=1e-6)
        assert float(by_particles) == pytest.approx(float(by_field), rel=1e-4)
