"""Which forests are good on most data: how the points of `katib/portfolio.py` were chosen."""
