"""Curvature of one's choice: against differences, exact where the prediction is a line, and refused on a saddle."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import Gaussian, Normal, Posterior, fit, full_hessian, gauss_newton, laplace


def line(parameters, adjoint=None):
    return parameters["a"] * jnp.arange(4.0) + parameters["b"], jc.RESULTS.successful


def square(parameters, adjoint=None):
    return parameters["x"][None] ** 2, jc.RESULTS.successful


def spread(parameters, adjoint=None):
    problem = jc.Problem(
        jc.models.Model({"u": jc.models.Species(parameters["mobility"])}),
        jc.Grid.box(0.0, 1.0, 8),
        jc.initial.gaussian(mass=parameters["amount"], center=0.4, std=0.2),
    )
    solution = jc.solve(problem, jc.FiniteVolume(jc.SSPRK2()), t1=0.2, dt=0.02, adjoint=adjoint, throw=False)
    return solution.final.density, solution.result


def test_both_are_the_same_for_a_line():
    posterior = Posterior({"a": Normal(0.0, 2.0), "b": Normal(1.0, 1.0)}, line, jnp.arange(4.0), Gaussian(0.5))
    best = fit(posterior, progress=False)
    np.testing.assert_allclose(laplace(best).covariance, laplace(best, full_hessian).covariance, rtol=1e-9)


def test_the_full_one_is_that_of_differences_through_a_run():
    priors = {"mobility": jc.inference.LogNormal(0.05, 2.0), "amount": jc.inference.LogNormal(1.0, 2.0)}
    posterior = Posterior(priors, spread, jnp.linspace(1.5, 0.5, 8), Gaussian(0.3))
    z, h = jnp.array([0.3, -0.2]), 1e-3
    density, e = jax.jit(posterior.log_density), h * jnp.eye(2)

    def second(i, j):
        each = [a * b * density(z + a * e[i] + b * e[j]) for a in (-1, 1) for b in (-1, 1)]
        return -sum(map(float, each)) / (2 * h) ** 2

    exact = full_hessian(posterior, z, jnp.zeros((8, 2)))
    np.testing.assert_allclose(exact, [[second(i, j) for j in range(2)] for i in range(2)], rtol=1e-4)
    jacobian = jax.jit(jax.jacfwd(lambda z: posterior.residuals(z, jc.Forward())))(z)
    assert not np.allclose(exact, gauss_newton(posterior, z, jacobian), rtol=1e-2)


def test_a_saddle_is_refused_in_words():
    posterior = Posterior({"x": Normal(0.0, 1.0)}, square, jnp.ones(1), Gaussian(0.1))
    best = fit(posterior, {"x": 0.5}, progress=False)
    saddle = dataclasses.replace(best, z=jnp.zeros(1), jacobian=np.zeros((1, 1)))
    assert float(laplace(saddle).covariance[0, 0]) == 1.0
    with pytest.raises(
        ValueError, match=r"not positive definite at the fit: its least eigenvalue is -199 along 1.00 x"
    ):
        laplace(saddle, full_hessian)
