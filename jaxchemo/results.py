"""What a run can end as, in sentences: methods report it, the time loop carries it, `solve` raises it."""

import equinox as eqx


class RESULTS(eqx.Enumeration):
    """How a run ended. `RESULTS[result]` is the sentence; `result == RESULTS.successful` asks whether all went well."""

    successful = "successful"
    nonfinite = (
        "The solution is no longer finite (NaN or infinity). A smaller `dt` (of a flow, `change`) or smoother initial "
        "conditions would do."
    )
    out_of_range = (
        "A number of the problem is out of its range: negative, say, where it must be positive. It was not known when "
        "the problem was built, inside jit, vmap or grad: built outside of them, with the same numbers, the problem "
        "says which it is."
    )
    unstable_step = (
        "The step is larger than the scheme's stable one, so positivity is lost: a smaller `dt`, or 'auto', will do."
    )
    negative_density = "The density has become negative: the method does not keep it positive at this step size."
    negative_rate = (
        "A tumble rate has become negative: the signal is too steep for a linear response. ExponentialResponse, or a "
        "smaller gain, will do."
    )
    rate_exceeded = "A tumble rate has exceeded the bound of Thinning: a larger `bound` will do."
    poor_fit = (
        "The flow does not move as its density asks: more `width`, the `wavelengths` of the fluid, or a smaller "
        "`change` or `strain` will do; of a `PriorFlow`, more `steps` or `intervals`."
    )
    blow_up = (
        "The density has grown beyond what can be followed: the solution blows up, or the grid is too coarse for it."
    )
    capacity_exceeded = "A buffer of fixed size is full. A larger capacity would do."
    solver_failed = "The inner solver (adaptive or implicit) gave up: a smaller `dt` or looser tolerances would do."
