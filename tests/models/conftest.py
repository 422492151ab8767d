"""Import TensorFlow in the first test that needs it, not while tests are collected."""

import pytest

import models  # noqa: F401  sets what TensorFlow reads when it is first imported


@pytest.fixture(autouse=True)
def _fresh_keras() -> None:
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
