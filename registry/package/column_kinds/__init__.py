"""One module a kind of column: what its cells mean, from the training table to a request.

The table of all kinds is `registry.package.columns.COLUMN_KINDS`.
"""
