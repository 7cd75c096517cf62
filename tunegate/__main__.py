"""`python -m tunegate` is `tunegate`."""

from tunegate.cli import main

if __name__ == "__main__":
    main()
