"""`notifier COMMAND`: finds the command's module and imports only that one, so that every start is quick."""

from importlib import import_module

import click

from notifier import __version__

#: Command → its help; the module of the same name in this package has `command`.
COMMANDS = {
    "dev": "Run everything in one process, with no servers.",
    "serve": "Run the HTTP server.",
    "work": "Run a worker (wraps `dramatiq notifier.worker`).",
    "migrate": "Bring the database to this version's schema.",
    "send": "Send one notification.",
    "status": "Show what became of a notification.",
    "tail": "Follow what happens to one notification, or in one lane.",
    "lanes": "Show the lanes as they are now; pause one, or let it go on.",
    "providers": "Show the provider accounts as they are now; take one out, or let it send again.",
    "failures": "List and count what finally failed; replay or discard it.",
    "keys": "Create, list and revoke API keys.",
    "simulate": "Simulate the scheduler under a load, to size a worker's threads.",
    "bench": "Measure your own installation with load that reaches nobody.",
    "doctor": "Check settings, database, broker and providers, and say what to do.",
    "reconcile": "Ring for everything not final, after the broker lost all.",
    "config": "Show the settings in force.",
}


class _Commands(click.Group):
    """Loads a command's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"notifier.cli.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="notifier")
def main() -> None:
    """A self-hosted notification service: e-mails, SMS and push messages by priority.

    Settings come from NOTIFIER_… variables and `.env`; `notifier config show` shows them.
    """
