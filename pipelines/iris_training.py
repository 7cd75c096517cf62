"""Train, score and store a model of the iris, without a search or a decision."""

from kfp import dsl

from pipelines.components import download, evaluate, prepare, preprocess, store, train

SPEC = """\
name = "iris"
source = "table.csv"
target = "target"
task = "classification"
metric = "log_loss"
prediction = "species"
"""


@dsl.pipeline(name="iris-training", description="Train a forest of the iris, and store it.")
def iris_training(
    source: str,
    spec: str = SPEC,
    learner: str = "random_forest",
    hyperparameters: dict = {"n_estimators": 50},  # type: ignore[type-arg] # noqa: B006 - kfp's
    address: str = "/models",
) -> str:
    """Return the digest of the package in the store."""
    table = download(source=source).outputs["table"]
    prepared = prepare(table=table, spec=spec)
    data = prepared.outputs["data"]
    preprocess(data=data)
    trained = train(data=data, learner=learner, hyperparameters=hyperparameters)
    model = trained.outputs["model"]
    evaluate(model=model, table=prepared.outputs["holdout"])
    return store(model=model, address=address, name="iris").output
