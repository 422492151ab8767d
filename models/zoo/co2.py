"""`co2`: carbon dioxide over Mauna Loa by date, and its uncertainty beyond the data.

The experiment of Gal & Ghahramani 2016, section 5.1 and figure 2: a regression
on time alone, with 5 hidden ReLU layers, dropout 0.1 after each and weight decay
1e-6. Their layers are 1024 wide; 320 keeps the file below 2 MB (`build(1024)`
gives theirs).
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.zoo.data import Series, co2_splits

EPOCHS = 400
TASK = "regression"
_BATCH = 128


def build(width: int = 320, weeks: Series | None = None) -> keras.Model:
    """The network; its first and last layers contain the location and scale of the data.

    Args:
        width: of each hidden layer.
        weeks: the data; None: those of the training split.
    """
    layers = keras.layers
    year, ppm = weeks or co2_splits().train
    decay = keras.regularizers.L2(1e-6)
    hidden = [
        layer
        for number in range(1, 6)
        for layer in (
            layers.Dense(
                width, activation="relu", kernel_regularizer=decay, name=f"hidden_{number}"
            ),
            layers.Dropout(0.1, name=f"drop_{number}"),
        )
    ]
    scale_in, scale_out = float(year.std()), float(ppm.std())
    return keras.Sequential(
        [
            keras.Input((1,), name="year"),
            layers.Rescaling(1 / scale_in, -float(year.mean()) / scale_in, name="scale"),
            *hidden,
            layers.Dense(1, kernel_regularizer=decay, name="normalised"),
            layers.Rescaling(scale_out, float(ppm.mean()), name="ppm"),
        ],
        name="co2",
    )


def train(
    epochs: int = EPOCHS, callbacks: list[Any] | None = None, weeks: Series | None = None
) -> keras.Model:
    """A trained network. The same seed does not give the same weights bit for bit everywhere.

    Args:
        epochs: over the weeks.
        callbacks: of Keras.
        weeks: that it may see; None: those of the training split.
    """
    keras.utils.set_random_seed(0)
    year, ppm = weeks or co2_splits().train
    model = build(weeks=weeks)
    steps = epochs * -(-len(year) // _BATCH)
    variance = float(ppm.var())
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)),
        # The loss is relative to the data's variance, as the weight decay expects.
        lambda wanted, found: keras.ops.mean(keras.ops.square(wanted - found)) / variance,
    )
    model.fit(year, ppm, batch_size=_BATCH, epochs=epochs, callbacks=callbacks or [], verbose=0)
    return model


def training_rows() -> NDArray[np.float32]:
    """(weeks, 1) decimal years that the shipped model was trained with."""
    return co2_splits().train.year


def example() -> NDArray[np.float32]:
    """A few years for the export's checks; the first becomes the manifest's example."""
    return np.array([[2010.5], [1958.5], [1970.0], [1985.25], [2001.75]], np.float32)
