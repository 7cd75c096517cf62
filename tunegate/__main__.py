"""`python -m tunegate` is `tunegate`."""

if __name__ == "__main__":  # not in a server's workers, which import this module again
    from tunegate.cli import main

    main()
