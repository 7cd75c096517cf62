"""The report: one HTML page about a search and its verdict."""
