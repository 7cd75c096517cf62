"""House prices, from a table to a model in production."""

from kfp import dsl
from kfp.dsl import Metrics

from pipelines.components import download, evaluate, gate, predict, prepare, promote, report, tune

SPEC = """\
name = "boston"
source = "table.csv"
target = "MEDV"
task = "regression"
metric = "mse"
prediction = "predicted_price"
drop = ["B"]
"""


@dsl.pipeline(name="house-prices", description="Tune, gate and promote a forest of house prices.")
def house_prices(
    source: str = "boston",
    spec: str = SPEC,
    trials: int = 20,
    state: str = "/models/state",
    experiment: str = "",
    store: str = "",
) -> Metrics:
    """Return the metrics on the holdout."""
    table = download(source=source).outputs["table"]
    prepared = prepare(table=table, spec=spec)
    data = prepared.outputs["data"]
    holdout = prepared.outputs["holdout"]
    tuned = tune(
        data=data,
        trials=trials,
        experiment=experiment,
        store=store,
        job=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    )
    model = tuned.outputs["model"]
    predict(model=model, table=holdout)
    scored = evaluate(model=model, table=holdout)
    report(run=tuned.outputs["run"])
    judged = gate(model=model, data=data, state=state, store=store)
    promote(model=model, data=data, state=state, store=store).after(judged)
    return scored.outputs["metrics"]
