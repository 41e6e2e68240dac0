"""From global options and settings to the parts that commands use."""

from __future__ import annotations

from auditstream.cli.context import Context
from auditstream.core import settings as core_settings
from auditstream.core.settings import Settings


def load_settings(context: Context) -> Settings:
    """Return the settings of the environment, with the command line's data directory.

    Raises:
        ConfigError: A variable is unknown or wrong; names it.
    """
    settings = core_settings.load()
    return settings.model_copy(update={"data_dir": context.data_dir})
