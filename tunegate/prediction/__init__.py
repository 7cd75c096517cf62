"""Predictions of a model package for tables: files of any size, or DataFrames."""
