"""A model that someone fitted themselves with scikit-learn, made a package."""

from trainer.own_model.packaging import package_fitted

__all__ = ["package_fitted"]
