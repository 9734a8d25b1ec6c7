"""The old name of `world.forks`, until its last user has the new one."""

from modelspec.world.forks import forked as forked
