"""Predicts with the model that `tunegate run` has brought into production."""

import json
import sys
from pathlib import Path

import pandas as pd
from common import time_one_row

import tunegate as tg

state, fresh_file, target, folder = sys.argv[1:]
model = tg.load(state=state)
fresh = pd.read_csv(fresh_file).drop(columns=target)
predict = model.predict_proba if model.manifest.classes else model.predict
predict(fresh).to_csv(Path(folder, "predicted.csv"), index=False)
size = sum(file.stat().st_size for file in model.package.path.iterdir())
print(json.dumps({"one_row": time_one_row(predict, fresh), "size": size}))
