"""The contract of a flow: a map of points that depends on time, both ways, with the logarithm of its Jacobian."""

import abc

from jaxtyping import Array, Float

from jaxchemo._show import Shown


class AbstractBijection(Shown):
    """A smooth invertible map of points `(d,)` at a time: unbatched, to be vmapped.

    Times are those of an interval, from 0 to 1. Layers that do not depend on it take it all the same.
    """

    @abc.abstractmethod
    def transform_and_log_det(
        self, x: Float[Array, " d"], t: Float[Array, ""]
    ) -> tuple[Float[Array, " d"], Float[Array, ""]]:
        """The image `(d,)` of a point at a time, and `log |det|` of the Jacobian there [dimensionless]."""

    @abc.abstractmethod
    def inverse_and_log_det(
        self, y: Float[Array, " d"], t: Float[Array, ""]
    ) -> tuple[Float[Array, " d"], Float[Array, ""]]:
        """The point with this image, and `log |det|` of the inverse's Jacobian there."""
