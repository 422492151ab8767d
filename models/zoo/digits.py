"""`digits`: a classifier of handwritten digits that is uncertain about what it cannot read."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.zoo.data import digits_splits

EPOCHS = 120
LABELS = tuple("0123456789")
TASK = "classification"


def build() -> keras.Model:
    """A convolutional network with one spatial dropout and two dropouts."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((64,), name="pixels"),
            layers.Rescaling(1 / 16, name="scale"),
            layers.Reshape((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_1"),
            layers.BatchNormalization(name="norm"),
            layers.SpatialDropout2D(0.1, name="drop_maps"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv_2"),
            layers.MaxPooling2D(name="pool"),
            layers.Dropout(0.25, name="drop_features"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="dense"),
            layers.Dropout(0.5, name="drop_hidden"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name="digits",
    )


def train(epochs: int = EPOCHS, callbacks: list[Any] | None = None) -> keras.Model:
    """A trained network. The same seed does not give the same weights bit for bit everywhere."""
    keras.utils.set_random_seed(0)
    train_split, _ = digits_splits()
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(
        train_split.x,
        train_split.y,
        batch_size=64,
        epochs=epochs,
        callbacks=callbacks or [],
        verbose=0,
    )
    return model


def training_rows() -> NDArray[np.float32]:
    """(images, 64) that the shipped model was trained with."""
    return digits_splits()[0].x


def example() -> NDArray[np.float32]:
    """A few images for the export's checks; the first becomes the manifest's example."""
    return digits_splits()[1].x[:8]
