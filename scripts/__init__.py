"""Commands around the product."""

import models  # noqa: F401  sets what TensorFlow reads when it is first imported
