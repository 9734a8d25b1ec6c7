"""The old name of `originals`, until its last user has the new one."""

from modelspec.world.stores.originals import Original as Place
from modelspec.world.stores.originals import Originals as Left

__all__ = ["Left", "Place"]
