"""Entry point of `python -m loader`."""

from loader import stop

if __name__ == "__main__":
    # Before the import, which takes a moment in which somebody may press Ctrl-C.
    stop.leave_at_once()
    from loader.cli import main

    main()
