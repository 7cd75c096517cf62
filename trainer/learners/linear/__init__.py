"""The linear learners: a pipeline that fills gaps and scales columns, and a linear model."""
