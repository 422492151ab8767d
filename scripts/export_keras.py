"""`mcdropout export` by its older name: python scripts/export_keras.py model.keras --output DIR"""

import sys
from pathlib import Path

# Run as a file, Python looks for packages in scripts/ and not beside it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mcdropout.__main__ import main

if __name__ == "__main__":
    main(["export", *sys.argv[1:]])
