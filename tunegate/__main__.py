"""`python -m tunegate` is `tunegate`.

Python looks for modules in the current folder first, and a folder for machine learning often has an
`api` or a `trainer` of its own. They must not stand for ours, so the folder is taken off the path.
"""

import os
import sys

if __name__ == "__main__":  # not in a server's workers, which import this module again
    here = os.getcwd()  # noqa: PTH109 - pathlib, and what it imports, might be the folder's own
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - as above
    if sys.path[0] == here != ours:
        del sys.path[0]

    from tunegate.cli import main

    main()
