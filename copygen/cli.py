"""The command line. Data goes to standard output, everything else to standard error."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from copygen import __version__, administration, commands, exception_commands, model_commands
from copygen.bench import command as bench_command
from copygen.bench.measuring import DEFAULT, KINDS
from copygen.errors import CopygenError
from copygen.settings import Settings

app = typer.Typer(
    name="copygen",
    help="E-mail subject lines and preview texts: written, checked, reviewed and served.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
user_app = typer.Typer(help="Accounts.", no_args_is_help=True)
key_app = typer.Typer(help="API keys.", no_args_is_help=True)
models_app = typer.Typer(help="Model weights; alone, it shows what `list` does.")
audit_app = typer.Typer(help="The audit log.", no_args_is_help=True)
prompts_app = typer.Typer(help="Prompts.", no_args_is_help=True)
exceptions_app = typer.Typer(help="Exceptions from the checks.", no_args_is_help=True)
for name, group in [
    ("user", user_app),
    ("key", key_app),
    ("models", models_app),
    ("audit", audit_app),
    ("prompts", prompts_app),
    ("exceptions", exceptions_app),
]:
    app.add_typer(group, name=name)

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]
BrandFile = Annotated[Path | None, typer.Option("--brand", help="The brand's file.")]
Decider = Annotated[
    str, typer.Option("--user", help="Account of the reviewer or admin who decides it.")
]
ExceptionId = Annotated[
    str, typer.Argument(metavar="ID", help="The exception's id, from `exceptions list`.")
]
Seed = Annotated[int | None, typer.Option(help="Seed of all candidates; by default a random one.")]


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Options of all commands; `main` looks for --debug itself."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def demo(seed: Seed = None) -> None:
    """Write copy for the packaged example, and make a login to review it with."""
    commands.demo(Settings.load(), seed)


@app.command()
def generate(
    brief: Annotated[Path, typer.Argument(help="The brief's file.")],
    brand: BrandFile = None,
    json: Json = False,
    seed: Seed = None,
    user: Annotated[
        str | None,
        typer.Option(help="Account that requests it; it can't approve it. By default none."),
    ] = None,
) -> None:
    """Write copy for a brief, check it and put it into the review queue."""
    commands.generate(Settings.load(), brief, brand, seed, user, as_json=json)


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="JSON Lines; by default standard input.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="A policy file.")] = None,
) -> None:
    """Check texts of your own: the same filter as `python -m guardrails check`."""
    commands.check(Settings.load(), file, policy)


@app.command()
def serve(
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the review page in the browser.")
    ] = False,
) -> None:
    """Start the web UI, the API and the worker in one process."""
    commands.serve(Settings.load(), open_page=open_page)


@app.command()
def worker() -> None:
    """Write batches without serving anything."""
    commands.work(Settings.load())


@app.command()
def reproduce(
    variant: Annotated[str, typer.Argument(help="The variant's id.")], json: Json = False
) -> None:
    """Write a stored variant again from its provenance, and compare."""
    commands.reproduce(Settings.load(), variant, as_json=json)


@app.command()
def bench(
    engine: Annotated[
        list[str],
        typer.Option(help=f"{', '.join(KINDS)}; by default {' and '.join(DEFAULT)}."),
    ] = [],  # noqa: B006
    segments: Annotated[int, typer.Option(min=1, max=100, help="Segments of the job.")] = 10,
    variants: Annotated[int, typer.Option(min=1, max=50, help="Variants per segment.")] = 8,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Runs of each engine.")] = 2,
    curve: Annotated[
        bool, typer.Option("--curve", help="Also measure 1 to 50 segments, and what limits them.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure how fast candidates come, here and from other engines."""
    bench_command.bench(
        Settings.load(), engine, segments, variants, runs, curve=curve, as_json=json
    )


@app.command()
def settings(json: Json = False) -> None:
    """Print all settings: variable, value and meaning."""
    administration.show_settings(Settings.load(), as_json=json)


@user_app.command("add")
def user_add(
    email: str, role: Annotated[str, typer.Option(help="marketer, reviewer, admin or auditor.")]
) -> None:
    """Make an account; its password alone goes to standard output."""
    administration.add_user(Settings.load(), email, role)


@user_app.command("reset")
def user_reset(email: str) -> None:
    """Give an account a new password and end its logins; it alone goes to standard output."""
    administration.reset_user(Settings.load(), email)


@key_app.command("list")
def key_list(json: Json = False) -> None:
    """List the keys in use: id, name, account and scopes."""
    administration.list_keys(Settings.load(), as_json=json)


@key_app.command("revoke")
def key_revoke(key: Annotated[str, typer.Argument(help="The key's id, from `key list`.")]) -> None:
    """End a key, at once."""
    administration.revoke_key(Settings.load(), key)


@key_app.command("add")
def key_add(
    name: str,
    user: Annotated[str, typer.Option(help="E-mail address of the account it belongs to.")],
    scope: Annotated[
        list[str],
        typer.Option(help="batches:read, batches:write, variants:read or reviews:write."),
    ],
) -> None:
    """Make an API key; the key alone goes to standard output."""
    administration.add_key(Settings.load(), name, user, scope)


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, json: Json = False) -> None:
    """Model weights; alone, this lists them."""
    if context.invoked_subcommand is None:
        model_commands.list_models(Settings.load(), as_json=json)


@models_app.command("list")
def models_list(json: Json = False) -> None:
    """Show the model of these settings, and what the cache holds."""
    model_commands.list_models(Settings.load(), as_json=json)


@models_app.command("pull")
def models_pull() -> None:
    """Get the model of these settings: install, fetch and convert what is missing of it."""
    model_commands.pull_models(Settings.load())


@models_app.command("verify")
def models_verify(
    name: Annotated[
        str | None, typer.Argument(help="A name or hash of `models list`; by default all.")
    ] = None,
) -> None:
    """Compare the model and the cache with their recorded hashes; exit status 1 for damage."""
    model_commands.verify_models(Settings.load(), name)


@models_app.command("remove")
def models_remove(
    name: Annotated[str | None, typer.Argument(help="A name or hash of `models list`.")] = None,
    unused: Annotated[
        bool, typer.Option("--unused", help="All that these settings don't use.")
    ] = False,
) -> None:
    """Remove a model, or the leftover of a conversion, from the cache."""
    model_commands.remove_models(Settings.load(), name, unused=unused)


@audit_app.command("verify")
def audit_verify() -> None:
    """Follow the audit log's chain of hashes from its first entry to its last."""
    administration.verify_audit(Settings.load())


@audit_app.command("export")
def audit_export() -> None:
    """Write the audit log as JSON Lines."""
    administration.export_audit(Settings.load())


@prompts_app.command("list")
def prompts_list(json: Json = False) -> None:
    """List the prompts with their versions and hashes."""
    administration.list_prompts(as_json=json)


@exceptions_app.command("add")
def exceptions_add(
    variant: Annotated[str, typer.Argument(help="Id of a variant with the finding.")],
    rule: Annotated[str, typer.Argument(help="Its check and rule: profanity/mild.")],
    user: Decider,
    why: Annotated[str, typer.Option(help="Why it is a false positive.")],
    words: Annotated[
        str, typer.Option(help="The words found; needed where the rule found several things.")
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=365, help="Days until it expires.")] = 90,
) -> None:
    """Except a finding, from now on, for its brand and these words; prints the exception's id."""
    exception_commands.add_exception(Settings.load(), variant, rule, words, why, days, user)


@exceptions_app.command("list")
def exceptions_list(
    brand: Annotated[str, typer.Option(help="Slug of a brand; by default all.")] = "",
    ended: Annotated[
        bool, typer.Option("--all", help="Also those that expired or were revoked.")
    ] = False,
    json: Json = False,
) -> None:
    """List the exceptions in force."""
    exception_commands.list_exceptions(Settings.load(), brand, ended=ended, as_json=json)


@exceptions_app.command("revoke")
def exceptions_revoke(exception: ExceptionId, user: Decider) -> None:
    """End an exception: batches that begin from now on are checked without it."""
    exception_commands.revoke_exception(Settings.load(), exception, user)


@exceptions_app.command("replay")
def exceptions_replay(exception: ExceptionId, json: Json = False) -> None:
    """Show the stored variants whose verdict an exception changes, had it always been in force."""
    exception_commands.replay_exception(Settings.load(), exception, as_json=json)


def main() -> None:
    """Run the command line: exit status 0, 1 for a failure of ours, 2 for a mistake of the user."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    try:
        app([each for each in arguments if each != "--debug"])
    except CopygenError as error:
        _fail(str(error), error.exit_status, debug=debug)
    except Exception as error:
        _fail(f"Internal error ({type(error).__name__}). Run again with --debug.", 1, debug=debug)


def _fail(message: str, status: int, *, debug: bool = False) -> None:
    if debug:
        raise
    print(f"copygen: {message}", file=sys.stderr)
    sys.exit(status)
