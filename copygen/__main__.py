"""The command `copygen`, also as `python -m copygen`."""

import gc


def main() -> None:
    """Run the command line."""
    # Importing makes objects that all stay: collecting meanwhile takes a fifth of the time.
    gc.disable()
    from copygen import cli

    gc.freeze()
    gc.enable()
    cli.main()


if __name__ == "__main__":
    main()
