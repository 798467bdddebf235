"""Write the dashboards: ``python -m grafana``; exit 1 if the committed ones were not current."""

import sys

from grafana.files import FOLDER, documents


def main() -> int:
    """Every file anew."""
    changed = 0
    for name, text in documents().items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main())
