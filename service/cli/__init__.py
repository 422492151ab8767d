"""The `mcdropout` command, but for `export`."""

from service.cli.commands import app

__all__ = ["app"]
