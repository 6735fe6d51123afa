"""Room and motility: values, derivatives, equations, and what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxchemo import models
from jaxchemo.models import DensityDependent, Linear, PowerLaw, Room, SpaceFilling, Species, VolumeFilling


@given(st.floats(0.01, 3.9), st.floats(0.5, 4.0))
def test_the_diffusion_of_volume_filling_is_that_of_its_room(u, power):
    q = Room(4.0, power)
    value = SpaceFilling(q).factor(jnp.asarray(u))
    assert float(value) == pytest.approx(1 + (power - 1) * (u / 4) ** power, rel=1e-12)
    own = SpaceFilling(lambda u: jnp.exp(-u)).factor(jnp.asarray(u))
    assert float(own) == pytest.approx(np.exp(-u) * (1 + u), rel=1e-12)


def test_the_classical_room_changes_no_diffusion():
    u = jnp.linspace(0.0, 5.0, 7)
    np.testing.assert_allclose(SpaceFilling(Room(4.0)).factor(u), 1.0, rtol=1e-15)
    np.testing.assert_allclose(VolumeFilling(Linear(1.0), Room(4.0)).response(u), 1 - u / 4)


def test_derivatives_are_finite_where_there_is_nothing():
    def factor(power, u):
        return PowerLaw(power, 2.0).factor(u)

    for power in (1.0, 1.5, 3.0):
        slopes = jax.grad(factor, argnums=(0, 1))(power, jnp.asarray(0.0))
        assert all(np.isfinite(float(slope)) for slope in slopes)
    assert float(factor(2.0, jnp.asarray(6.0))) == 9.0


def test_numbers_of_a_module_are_leaves():
    class Slower(eqx.Module):
        half: jax.Array

        def __call__(self, u):
            return 1 / (1 + u / self.half)

    def diffusivity(half):
        return Species(2.0, motility=DensityDependent(Slower(half))).diffusivity(jnp.asarray(3.0))

    assert float(jax.grad(diffusivity)(jnp.asarray(1.5))) == pytest.approx(2 * (3 / 1.5**2) / 9)


def test_equations_say_it():
    shown = models.Model({"u": Species(0.5, motility=PowerLaw(2.0, 3.0))}).equations()
    assert shown == "d_t u = div( 0.5 (u/3)^2 grad u )"
    shown = models.volume_filling(1.0, 4.0, Room(2.0, 3.0)).equations().splitlines()[0]
    assert shown == "d_t rho = div( 1 (q - rho q')[1 - (rho/2)^3] grad rho - rho (1 - (rho/2)^3) 4 grad c )"


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: PowerLaw(0.0), ValueError, "`power` must be positive"),
        (lambda: Room(-1.0), ValueError, "`capacity` must be positive"),
        (lambda: SpaceFilling(3.0), TypeError, "`room` must be a function"),
        (lambda: DensityDependent("u"), TypeError, "`function` must be a function"),
        (lambda: Species(1.0, motility=2.0), TypeError, "`motility` must be a law such as PowerLaw"),
        (lambda: Species(1.0, motility=DensityDependent(lambda u: u[0])), ValueError, "`motility` must act on each"),
    ],
)
def test_what_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
