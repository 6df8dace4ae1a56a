"""Beginning of `crossfade`. Next to nothing is imported before Ctrl-C is looked after."""

from ops.terminal import stop_signals


def main() -> None:
    stop_signals.end_at_once()
    from ops.cli.main import main as crossfade

    crossfade()


if __name__ == "__main__":
    main()
