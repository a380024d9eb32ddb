"""`python -m outlast` is the `outlast` command."""

from .cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
