"""The radial reference against moment laws and published numbers."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from shared import attracting

import jaxchemo as jc
from jaxchemo.models import keller_segel
from jaxchemo.references import free_plane, radial_collapse


def test_two_dimensions():
    """reference/lagrangian_flow.md, 6.4 and lagrangian_recipe.md, 0b; the second moment is linear in time."""
    found = radial_collapse(attracting(4 * np.pi, 2), (0.0, 0.5))
    assert found.p[1, 0] == pytest.approx(0.12990, abs=2e-5)
    np.testing.assert_allclose(found.spread, [2, 3], rtol=1e-4)
    found = radial_collapse(attracting(16 * np.pi, 2), (0.25, 0.3, 0.32))
    np.testing.assert_allclose(found.p[:, 0], [2.199, 12.69, 174], rtol=3e-3)
    np.testing.assert_allclose(found.spread, 2 - 4 * np.array([0.25, 0.3, 0.32]), rtol=1e-4)
    assert found.gave_up is None
    at = found.at(np.linspace(0, 3, 7), 0)
    assert np.all(np.diff(at) < 0)


def test_three_dimensions():
    found = radial_collapse(attracting(150.0, 3), (0.1, 0.183, 0.2197, 0.26))
    np.testing.assert_allclose(found.p[1:, 0], [0.403, 1.14], rtol=3e-3)
    assert found.gave_up == pytest.approx(0.24416, abs=5e-5)
    assert len(found.ts) == 3
    assert radial_collapse(attracting(150.0, 3), (0.3,)).gave_up == pytest.approx(0.24416, abs=5e-5)
    # Smaller clouds collapse sooner, as the square of their size, under a pull that is smaller by it.
    small = radial_collapse(attracting(75.0, 3, std=0.5), (0.0457,))
    assert small.p[0, 0] == pytest.approx(8 * found.p[1, 0], rel=5e-3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_field_and_the_tail_of_a_gaussian(ndim):
    """At the start: reference/lagrangian_flow.md, 6.3; and where nothing attracts, the tail spreads exactly."""
    r = np.array([1e-3, 0.1, 1.0, 3.0, 8.0])
    found = radial_collapse(attracting(1e-12, ndim), (0.0, 0.25))
    enclosed = scipy.special.gammainc(ndim / 2, r**2 / 2)
    area = 2 * np.pi if ndim == 2 else 4 * np.pi
    np.testing.assert_allclose(found.field(r, 0), enclosed / (area * r ** (ndim - 1)), rtol=1e-4)
    far = np.array([0.0, 4.0, 6.0, 7.5])
    tail = np.exp(-0.5 * far**2 / 1.5) / (2 * np.pi * 1.5) ** (ndim / 2)
    np.testing.assert_allclose(found.at(far, 1), tail, rtol=5e-3)  # 1e-9 of the peak


class TestFreePlane:
    def test_the_radial_solution(self):
        """In the modes of a square that holds the cloud, without an image of it."""
        one = attracting(16 * np.pi, 2)
        flat = free_plane(one, (0.05, 0.1), cells=96, dt=2e-3)
        radial = radial_collapse(one, (0.05, 0.1))
        for k in range(2):
            r = np.linalg.norm(flat.points, axis=-1)
            np.testing.assert_allclose(flat.p[k], radial.at(r, k), atol=2e-4 * radial.p[k, 0])
            assert flat.spread(k) == pytest.approx(2 - 4 * flat.ts[k], rel=1e-4)
            assert flat.p[k].sum() * flat.area == pytest.approx(1, abs=1e-7)

    @pytest.mark.slow
    def test_two_bumps_and_a_fluid(self):
        """Moment laws: `d/dt |x - mean|^2` of two bumps, and the mean in an even wind."""
        halves = [jc.initial.gaussian(mass=8 * np.pi, center=(side, 0.0), std=0.5) for side in (-1.0, 1.0)]
        wind = keller_segel(
            1.0, 1.0, relaxation=0, advection=lambda x: jnp.stack([0 * x[..., 0] + 2, 0 * x[..., 1]], -1)
        )
        posed = jc.Problem(wind, jc.FreeSpace(2), jc.initial.mixture(halves))
        found = free_plane(posed, (0.1,), cells=128, dt=2e-3)
        assert found.spread(0) == pytest.approx(1.5 - 0.4, rel=1e-5)
        np.testing.assert_allclose(found.mean(0), [0.2, 0.0], atol=1e-7)

    def test_three_dimensions_are_refused(self):
        with pytest.raises(ValueError, match="must be in two dimensions"):
            free_plane(attracting(1.0, 3), (0.1,))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="one round Gaussian"):
        radial_collapse(attracting(1.0, 2).replace(density=jc.initial.gaussian(mass=1.0, std=(1.0, 2.0))), (0.1,))
