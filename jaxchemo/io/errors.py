"""What can go wrong on disk, in words that say what would do."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


class StoreError(OSError):
    """A store or checkpoint could not be written or read; what had been written before is intact.

    It is an `OSError`, so that what catches full disks and missing rights catches this, too.

    >>> from jaxchemo.io import StoreError
    >>> issubclass(StoreError, OSError)
    True
    """


class CheckpointError(StoreError, ValueError):
    """A checkpoint that cannot be gone on from: broken, or of another run. The file is as it was.

    >>> from jaxchemo.io import CheckpointError, StoreError
    >>> issubclass(CheckpointError, StoreError), issubclass(CheckpointError, ValueError)
    (True, True)
    """


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns the operating system's errors into ones that say what to do.

    **Raises:** `StoreError` in place of any other `OSError`.
    """
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"Cannot write or read {str(path)!r}: {error}. A folder that can be written, with free space, would do."
        ) from error
