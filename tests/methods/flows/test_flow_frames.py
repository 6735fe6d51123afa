"""A flow keeps every frame up to its last time, in single precision too, where sums of intervals miss that time."""

import jax
import numpy as np
import pytest

import jaxchemo as jc

TINY = dict(num_labels=64, num_sources=64, width=4, change=0.2, tolerance=1.0)


@pytest.fixture(scope="module")
def single():
    with jax.enable_x64(False):
        yield jc.Problem(
            jc.models.Model({"rho": jc.models.Species(1.0)}), jc.FreeSpace(2), jc.initial.gaussian(mass=1.0, std=1.0)
        )


@pytest.mark.slow
@pytest.mark.parametrize("t1", [0.22, 0.3, 0.7])
def test_no_frame_is_dropped(single, t1):
    with jax.enable_x64(False):
        saveat = jc.SaveAt(ts=(0.1, t1))
        end = jc.solve(single, jc.LagrangianFlow(**TINY), t1=t1, key=jax.random.key(0), saveat=saveat)
        assert end.ts.dtype == np.float32 and np.array_equal(end.ts, np.float32([0.1, t1]))
        assert end.ys.positions.shape[0] == 2 and end.stats["trusted_until"] == np.float32(t1)
        assert np.all(np.isfinite(end.density(np.zeros((1, 2)), t1)))
        with pytest.raises(ValueError, match="must be a time that was reached"):
            end.density(np.zeros((1, 2)), np.nextafter(np.float32(t1), np.float32(9)))
