"""Convert a SavedModel of Keras 2 to an .h5 file, which Keras 3 and the exporter load.

    make keras2 ARGS="SAVED_MODEL_FOLDER FILE.h5"

It runs in its own environment: tf-keras needs the full TensorFlow, and the environment of
the project has the CPU build.
"""

import sys

import tf_keras


def main(folder: str, file: str) -> None:
    """Load `folder` and save it as `file`."""
    tf_keras.models.load_model(folder, compile=False).save(file, save_format="h5")
    print(f"wrote {file}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[2].endswith(".h5"):
        sys.exit("usage: convert_keras2.py SAVED_MODEL_FOLDER FILE.h5")
    main(*sys.argv[1:])
