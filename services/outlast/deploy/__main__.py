"""`python3 -m outlast.deploy`, as the Makefile calls it."""

from .main import main

if __name__ == "__main__":
    raise SystemExit(main())
