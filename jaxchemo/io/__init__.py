"""What a run leaves on disk: growing stores, checkpoints, and whose they are."""

from jaxchemo.io.checkpoint import Checkpoint as Checkpoint
from jaxchemo.io.errors import CheckpointError as CheckpointError
from jaxchemo.io.errors import StoreError as StoreError
from jaxchemo.io.identity import fingerprint as fingerprint
from jaxchemo.io.identity import identity as identity
from jaxchemo.io.store import Store as Store
from jaxchemo.io.store import Variable as Variable
