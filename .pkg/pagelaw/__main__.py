"""`pagelaw` and `python -m pagelaw` are the same command."""

import sys


def main() -> int:
    """Run it; the exit code. An interruption is one line, also before the command has been read."""
    try:
        from pagelaw.model import cli

        return cli.main()
    except KeyboardInterrupt:
        print("pagelaw: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
