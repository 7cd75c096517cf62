"""How the points of `katib/search/portfolio.py` were chosen: forests good on most data."""
