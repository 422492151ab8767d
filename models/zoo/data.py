"""The demo models' data, bundled with scikit-learn and statsmodels. Needs no TensorFlow."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from statsmodels.datasets import co2


class Split(NamedTuple):
    """Images (rows, 64) float32 with values 0 to 16, row by row; digits (rows,) int64."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]


class Series(NamedTuple):
    """Decimal years (weeks, 1) and concentrations in ppm (weeks, 1), both float32."""

    year: NDArray[np.float32]
    ppm: NDArray[np.float32]


class Weeks(NamedTuple):
    """A series, divided; each part in the order of time."""

    train: Series
    valid: Series
    test: Series


def digits_splits() -> tuple[Split, Split]:
    """scikit-learn's copy of the UCI optical recognition of handwritten digits.

    1797 images of 8×8 pixels. A fixed quarter, stratified by digit, is held out.

    Returns:
        The training and the test split.
    """
    images, digits = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        images.astype(np.float32), digits, test_size=0.25, random_state=0, stratify=digits
    )
    return Split(x_train, y_train), Split(x_test, y_test)


def digits_halves() -> tuple[Split, Split]:
    """The test split of `digits_splits` in halves, stratified by digit, for calibration and test.

    Returns:
        Rows that calibrate the model, and rows that nothing was chosen by.
    """
    _, test = digits_splits()
    x_valid, x_test, y_valid, y_test = train_test_split(
        test.x, test.y, test_size=0.5, random_state=0, stratify=test.y
    )
    return Split(x_valid, y_valid), Split(x_test, y_test)


def co2_series() -> Series:
    """statsmodels' copy of the weekly Mauna Loa record, 1958 to 2001 (Keeling & Whorf).

    Weeks without a measurement are left out.
    """
    record = co2.load_pandas().data["co2"].dropna()
    year = record.index.year + (record.index.dayofyear - 1) / 365.25
    return Series(
        np.asarray(year, np.float32)[:, None], np.asarray(record.values, np.float32)[:, None]
    )


def co2_splits() -> Weeks:
    """The weeks of `co2_series`: 60 % train the model, 20 % calibrate it, and 20 % test it.

    They are drawn at random over the whole record, so that the parts are exchangeable, which is
    what the guarantees of a calibration need.
    """
    series = co2_series()
    weeks = len(series.year)
    order = np.random.default_rng(0).permutation(weeks)
    parts = np.split(order, [round(0.6 * weeks), round(0.8 * weeks)])
    return Weeks(*(Series(*(values[np.sort(part)] for values in series)) for part in parts))
