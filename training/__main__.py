# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train da3-tiny: `python -m training --out out/training --minutes 90`; resumes what is there.

Runs in the environment `training`.
"""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

import torch

from .curriculum import CURRICULA
from .loop import Trainer, TrainingSettings
from .optimization import Rates
from .plots import draw_log


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/training"), help="folder of the run")
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="time of this session, 0 without end"
    )
    parser.add_argument(
        "--decay-share",
        type=float,
        default=0.2,
        help="share of the minutes in which the rate falls to zero; 0 if the run goes on later",
    )
    has_cuda = torch.cuda.is_available()
    parser.add_argument("--device", default="cuda" if has_cuda else "cpu")
    parser.add_argument(
        "--curriculum",
        choices=sorted(CURRICULA),
        default="graphics" if has_cuda else "processor",
    )
    cores = os.cpu_count() or 2
    parser.add_argument("--workers", type=int, default=max(2, cores - 2) if has_cuda else 2)
    parser.add_argument("--threads", type=int, default=min(cores, 8), help="of the network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--start-from", type=Path, help="folder of exported weights that a new run goes on from"
    )
    parser.add_argument("--rate", type=float, default=Rates.peak)
    parser.add_argument("--matrix-rate", type=float, default=Rates.matrix_peak)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = TrainingSettings(
        out=arguments.out,
        curriculum=arguments.curriculum,
        seed=arguments.seed,
        minutes=arguments.minutes,
        decay_share=arguments.decay_share,
        device=arguments.device,
        workers=arguments.workers,
        start_from=arguments.start_from,
        rates=Rates(peak=arguments.rate, matrix_peak=arguments.matrix_rate),
    )
    trainer = Trainer(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: trainer.stop())
    trainer.train()
    draw_log(settings.out)


if __name__ == "__main__":
    main()
