"""`python -m armillary` is the command line."""

from armillary.cli.app import main

if __name__ == "__main__":
    main()
