"""Which forests are good on most data: how the points of `katib/search/portfolio.py` were chosen."""
