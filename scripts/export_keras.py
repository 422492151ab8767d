"""The earlier name of `mcdropout export`: python scripts/export_keras.py FILE --output FOLDER"""

import sys
from pathlib import Path

# When run as a file, Python searches packages in scripts/ and not in its parent folder.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mcdropout.__main__ import main

if __name__ == "__main__":
    main(["export", *sys.argv[1:]])
