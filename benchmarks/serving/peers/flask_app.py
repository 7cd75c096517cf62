"""Flask, as a data scientist's first server: `gunicorn flask_app:app`."""

import os

import joblib
from flask import Flask, Response, jsonify, request

app = Flask(__name__)
model = joblib.load(os.environ["MODEL"])


@app.post("/predict")
def predict() -> Response:
    """Answer one row."""
    row = request.get_json()
    return jsonify({"prediction": float(model.predict([list(row.values())])[0])})
