"""Commands for development: benchmarks, load tests, demo models, generated documentation."""

import models  # noqa: F401  sets what TensorFlow reads when it is first imported
