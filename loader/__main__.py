"""Entry point of `python -m loader`."""

import gc
import os
import sys

from loader import interrupts


def _stand_in_for_closed_streams() -> None:
    """Opens streams that are closed; else the next file opened would become stdout."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, errors="backslashreplace"))  # noqa: SIM115


if __name__ == "__main__":
    # Before the import, which takes a moment in which somebody may press Ctrl-C.
    interrupts.leave_at_once()
    _stand_in_for_closed_streams()
    # dbt makes so many objects that looking for garbage among them takes a fifth of the start-up.
    # Who has the contracts, parsed or kept, begins to look, at what is made from then on.
    gc.disable()
    gc.set_threshold(50_000)
    from loader.cli.main import main

    main()
