"""One row and 10,000 rows: each library's own predict, the package's, and compilers'."""
