"""`python -m tests.nodes install | start | stop [--purge] | env`: what the Makefile calls."""

import argparse
import sys
from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / ".services"


def main() -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.nodes", description=__doc__)
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="where the services' data are kept")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="see that the servers' binaries are installed")
    commands.add_parser("start", help="start the private services and print their settings")
    stop = commands.add_parser("stop", help="stop the private services")
    stop.add_argument("--purge", action="store_true", help="remove their data too")
    commands.add_parser("env", help="print the settings of the running services")
    chosen = parser.parse_args()
    if chosen.command == "install":
        from tests.nodes.install import ensure

        return ensure()
    return _services(chosen)


def _services(chosen: argparse.Namespace) -> int:
    from tests.nodes.binaries import BinaryMissingError
    from tests.nodes.process import NodeError
    from tests.nodes.services import Services

    services = Services(chosen.folder)
    try:
        match chosen.command:
            case "start":
                return services.start()
            case "stop":
                return services.stop(purge=chosen.purge)
            case _:
                return services.env()
    except (BinaryMissingError, NodeError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
