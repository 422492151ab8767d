"""TensorFlow is imported by the first test that needs it, and not by collecting the others."""

import pytest

import models  # noqa: F401  sets what TensorFlow reads when it is first imported


@pytest.fixture(autouse=True)
def _fresh_keras() -> None:
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
