"""Accuracy of whole particle runs: the promises that `benchmarks/particle_field_accuracy.py` prints, asserted."""

import numpy as np
import pytest
from particle_field_accuracy import CASES, SCHEMES, closed_loop, floor, reference

import jaxchemo as jc


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two", "rings"])
def test_the_default_scheme_is_as_good_as_independent_samples(name):
    case, particles = CASES[name](), 20_000
    ref = reference(case, 96)
    lowest = floor(ref, particles, 2)
    found = {
        scheme: closed_loop(case, ref, jc.ParticleField(particles, **SCHEMES[scheme]), 32, 1)
        for scheme in ("histogram / trilinear", "default")
    }
    errors = {scheme: errors.mean() for scheme, (errors, _) in found.items()}
    assert errors["default"] <= 1.4 * lowest
    assert errors["default"] <= 0.6 * errors["histogram / trilinear"]
    assert abs(found["default"][1].mean()) < 0.015


@pytest.mark.slow
def test_antithetic_increments_lower_the_density_error_and_keep_the_second_moment():
    case = CASES["random-1"]()
    ref = reference(case, 96)
    normal, antithetic = (
        closed_loop(case, ref, jc.ParticleField(5_000, increments=kind), 64, 4)
        for kind in (jc.Normal(), jc.Antithetic())
    )
    assert antithetic[0].mean() <= 0.75 * normal[0].mean()
    for moments in (normal[1], antithetic[1]):
        # The reference and the step leave a few parts in a thousand, and four seeds their standard error.
        assert abs(moments.mean()) < 0.005 + 3 * moments.std(ddof=1) / np.sqrt(4)
