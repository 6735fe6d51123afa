"""Steps in time for methods of every kind on one problem of swimmers."""

from jaxchemo.methods import AbstractFixedStep, AbstractFlow
from jaxchemo.problem import Problem


def stable(method: AbstractFixedStep | AbstractFlow, problem: Problem, dt: float, share: float) -> float:
    """The step of agents, and for equations a share of the longest that is stable [time]."""
    if method.stochastic or isinstance(method, AbstractFlow):
        return dt
    return share * float(method.stable_dt(problem, method.init(problem)))
