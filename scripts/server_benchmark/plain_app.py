"""The obvious server: FastAPI, a thread pool, and the artifact run on tiled rows.

    MODEL=model.onnx uvicorn scripts.server_benchmark.plain_app:app

Its answers have the same form: mean and variance over passes. Its masks come from ONNX Runtime
and cannot be seeded.
"""

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel

SESSION = onnxruntime.InferenceSession(os.environ["MODEL"])
INPUT = next(value.name for value in SESSION.get_inputs() if value.name != "training")

app = FastAPI()


class PredictRequest(BaseModel):
    """Rows and the number of passes."""

    instances: list[list[float]]
    passes: int = 100


class Prediction(BaseModel):
    """Mean and variance of one row."""

    mean: list[float]
    variance: list[float]


class PredictResponse(BaseModel):
    """Predictions of all rows."""

    predictions: list[Prediction]


# Not `async`, so that FastAPI runs it in its thread pool.
@app.post("/v1/models/{name}:predict")
def predict(name: str, body: PredictRequest) -> PredictResponse:
    """Run all passes of all rows in one run."""
    x = np.asarray(body.instances, np.float32)
    tiled = np.repeat(x[None], body.passes, axis=0).reshape(-1, x.shape[1])
    (y,) = SESSION.run(None, {INPUT: tiled, "training": np.array(True)})
    samples = y.reshape(body.passes, len(x), -1)
    mean, variance = samples.mean(axis=0), samples.var(axis=0, ddof=1)
    return PredictResponse(
        predictions=[
            Prediction(mean=m, variance=v)
            for m, v in zip(mean.tolist(), variance.tolist(), strict=True)
        ]
    )


@app.get("/health/live")
def live() -> dict[str, str]:
    """Health check."""
    return {"status": "live"}
