"""`python -m dmhelpers` is `dmhelpers`."""

from dmhelpers.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
