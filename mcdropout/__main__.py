"""The `mcdropout` command: that of `service.cli`, and `export`."""

import sys
from collections.abc import Sequence

from mcdropout import require_own


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with `arguments`, by default those of the process."""
    try:
        require_own("service")
        from service.extras import needs

        with needs("cpu"):
            from mcdropout.export_command import export
            from service.cli import app
    except ImportError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    app.command("export")(export)
    app(arguments, prog_name="mcdropout")


if __name__ == "__main__":
    main()
