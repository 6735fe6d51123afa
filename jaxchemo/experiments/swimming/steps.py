"""Steps in time for methods of every kind on one problem of swimmers."""

from jaxchemo.methods import AbstractFixedStep, AbstractMethod
from jaxchemo.problem import Problem


def stable(method: AbstractMethod, problem: Problem, dt: float, share: float) -> float:
    """The step of agents, and for equations a share of the longest that is stable [time]."""
    if method.stochastic or not isinstance(method, AbstractFixedStep):
        return dt
    return share * float(method.stable_dt(problem, method.init(problem)))
