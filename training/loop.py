# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop.

Runs in the environment `training`.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from da3_blender.network.any_view import ForwardOptions
from da3_blender.network.presets import PATCH_SIZE, PRESETS

from .batches import Batch, Batches, load_batches
from .checkpoint import load_checkpoint, load_exported, save_checkpoint, start_progress
from .initial_weights import make_network, whiten_patches
from .losses import (
    Losses,
    compute_attention_losses,
    compute_losses,
    compute_patch_losses,
)
from .matching import AttentionTeacher
from .network_input import normalise_images
from .optimization import Rates, choose_dtype, follow_average, make_optimizers, set_rates
from .patch_head import PatchHead
from .targets import make_known_cameras, make_targets
from .validation import HeldOut

if TYPE_CHECKING:
    from pathlib import Path

    from da3_blender.network.backbone import Level

CHECKPOINT = "checkpoint.pt"
PLATEAU = "plateau.pt"
"""The state before the rate fell: what a longer run goes on from."""
LOG = "log.jsonl"
FINISH = "finish"
"""Whoever puts a file with this name into the run's folder, begins the last phase; the file may
hold its length in minutes."""
_FINISH_MINUTES = 12.0
_HELD_OUT = (48, 4, (84, 112))
_ALL_VIEWS = 1_000_000
_WHITENING_STEPS = 8
_SETTLING_STEPS = 150
"""So long the patch head, which no exported weights have, learns without teaching the backbone."""


@dataclass(frozen=True)
class TrainingSettings:
    """What a run is.

    Attributes:
        out: folder of the run.
        preset: name of the network.
        curriculum: a key of `curriculum.CURRICULA`.
        seed: of weights and worlds.
        minutes: time of this session; 0 for no limit.
        decay_share: share of the minutes in which the rate falls to zero; 0 for a session that
            will be resumed.
        device: "cpu" or "cuda".
        workers: processes that make worlds.
        rates: learning rates.
        log_every: steps between two lines of the log.
        start_from: folder of exported weights that a new run begins with, at the step at which
            they ended; None for random ones.
        save_every_s: seconds between two checkpoints.
        validate_every_s: seconds between two looks at held-out worlds.
    """

    out: Path
    preset: str = "da3-tiny"
    curriculum: str = "processor"
    seed: int = 0
    minutes: float = 0.0
    decay_share: float = 0.2
    device: str = "cpu"
    workers: int = 1
    rates: Rates = field(default_factory=Rates)
    log_every: int = 20
    start_from: Path | None = None
    save_every_s: float = 180.0
    validate_every_s: float = 420.0


class Trainer:
    """One run: network, average, optimizers and progress; resumes what is in its folder."""

    def __init__(self, settings: TrainingSettings) -> None:
        self.settings = settings
        self.device = torch.device(settings.device)
        self.dtype = choose_dtype(self.device)
        settings.out.mkdir(parents=True, exist_ok=True)
        place = settings.out / CHECKPOINT
        network = make_network(PRESETS[settings.preset], settings.seed)
        self.progress = start_progress()
        if not place.exists() and settings.start_from is not None:
            self.progress = load_exported(settings.start_from, network)
        elif not place.exists():
            whiten_patches(network, _collect_patches(settings))
        self._first_step = self.progress.step  # the optimizers know nothing before it
        self.network = network.to(self.device)
        self.network.head.to(memory_format=torch.channels_last)
        self.teacher = AttentionTeacher(self.network.backbone["pretrained"])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.patch_head = PatchHead(PRESETS[settings.preset].token_width).to(self.device)
        self.trained = nn.ModuleDict({"network": self.network, "patch_head": self.patch_head})
        self.optimizers = make_optimizers(self.trained, settings.rates, self.dtype)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.is_told_to_stop = False
        if place.exists():
            self.progress = load_checkpoint(place, self.trained, self.average, self.optimizers)

    def train(self) -> None:
        """Train until the time is over or the rate has fallen to zero."""
        settings, progress = self.settings, self.progress
        held_out = HeldOut(*_HELD_OUT)
        if progress.step == self._first_step:
            self._log({"constant": held_out.measure_constant()})
        batches = load_batches(
            Batches(settings.seed, settings.curriculum), progress.step, settings.workers
        )
        clock = _Clock(settings, progress.step)
        sums: dict[str, float] = {}
        for batch in batches:
            began = time.monotonic()
            losses, facts = self.take_step(batch)
            progress.seconds += time.monotonic() - began
            for name, value in (*losses._asdict().items(), *facts.items()):
                sums[name] = sums.get(name, 0.0) + float(value)
            if progress.step % settings.log_every == 0:
                clock.report(self, sums)
                sums = {}
            if clock.is_due("validate", settings.validate_every_s):
                self._log({"held_out": self.measure(held_out)})
            if clock.is_due("save", settings.save_every_s):
                self.save(CHECKPOINT)
            self._begin_decay(clock)
            if progress.decay.is_over(progress.step) or clock.is_over() or self.is_told_to_stop:
                break
        self._log({"held_out": self.measure(held_out)})
        self.save(CHECKPOINT)

    def stop(self) -> None:
        """Let `train` save and return after the step that it is in."""
        self.is_told_to_stop = True

    def take_step(self, batch: Batch) -> tuple[Losses, dict[str, float]]:
        """Learn from one batch.

        Args:
            batch: views of some scenes.

        Returns:
            The losses before the step, and the norm of the gradient.
        """
        rates, progress = self.settings.rates, self.progress
        set_rates(self.optimizers, rates, progress.decay, progress.step, self._first_step)
        losses = self.compute(batch)
        losses.total.backward()
        norm = nn.utils.clip_grad_norm_(self.trained.parameters(), rates.greatest_gradient)
        if torch.isfinite(norm):
            for optimizer in self.optimizers:
                optimizer.step()
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        follow_average(self.average, self.network, progress.step, rates.average)
        progress.step += 1
        progress.scenes += len(batch.images)
        progress.pictures += batch.images.shape[0] * batch.images.shape[1]
        detached = Losses(*(term.detach() for term in losses))
        return detached, {"gradient_norm": float(norm), "skipped": float(not torch.isfinite(norm))}

    def compute(self, batch: Batch) -> Losses:
        """Run the network on a batch and compare with the truth."""
        images, depth, w2c, K = (x.to(self.device, non_blocking=True) for x in batch[:4])
        targets = make_targets(depth, w2c, K)
        known = (make_known_cameras(w2c), K) if batch.has_known_cameras else (None, None)
        options = ForwardOptions(
            reference_view="first", wants_rays=True, views_per_chunk=_ALL_VIEWS
        )
        is_mixed = self.dtype != torch.float32
        with torch.autocast(self.device.type, self.dtype, enabled=is_mixed):
            if batch.lesson == "attention":
                self.teacher.run_until_judged(normalise_images(images))
                return compute_attention_losses(self.teacher.judge(targets, K))
            if batch.lesson == "patches":
                with self.teacher:
                    said, encoding = self._read_patches(normalise_images(images), known)
                return compute_patch_losses(said, encoding, targets, self.teacher.judge(targets, K))
            with self.teacher:
                output = self.network(normalise_images(images), *known, options)
            verdict = self.teacher.judge(targets, K)
        return compute_losses(output, targets, verdict)

    def _read_patches(
        self, images: Tensor, known: tuple[Tensor | None, Tensor | None]
    ) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Run the network without the dense head; return what `PatchHead` says, and cameras."""
        network, backbone = self.network, self.network.backbone["pretrained"]
        w2c, K = known
        size = (images.shape[-2], images.shape[-1])
        tokens = None if w2c is None or K is None else network.cam_enc(w2c, K, size)
        levels: list[Level] = []
        done = backbone(images, levels.append, tokens, "first")
        read = backbone.compose_features(levels[-1].local, levels[-1].main)
        if self._first_step > 0 and self.progress.step < self._first_step + _SETTLING_STEPS:
            read = read.detach()
        return self.patch_head(read), network.cam_dec(done.camera_tokens)

    def measure(self, held_out: HeldOut) -> dict[str, float]:
        """Measure the average of the weights on held-out worlds."""
        current = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        result = held_out.measure(self.network, self.device)
        self.network.load_state_dict(current)
        return result

    def save(self, name: str) -> None:
        """Write the state of the run into its folder under a name."""
        facts: dict[str, Any] = {
            "preset": self.settings.preset,
            "curriculum": self.settings.curriculum,
            "seed": self.settings.seed,
            "rates": asdict(self.settings.rates),
        }
        place = self.settings.out / name
        save_checkpoint(place, self.trained, self.average, self.optimizers, self.progress, facts)

    def _begin_decay(self, clock: _Clock) -> None:
        """Let the rate fall when the time for it has come."""
        decay = self.progress.decay
        minutes = clock.find_decay_minutes()
        if minutes is None or decay.first_step is not None:
            return
        self.save(PLATEAU)
        decay.first_step = self.progress.step
        decay.steps = max(1, round(minutes * 60 / clock.seconds_per_step(self.progress.step)))
        self._log({"decay_steps": decay.steps})

    def _log(self, facts: dict[str, Any]) -> None:
        line = {"step": self.progress.step, "seconds": round(self.progress.seconds, 1), **facts}
        with (self.settings.out / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _collect_patches(settings: TrainingSettings) -> Tensor:
    """Return (M, 3, 14, 14), the patches of the pictures of the first steps."""
    batches = Batches(settings.seed, settings.curriculum)
    patches = []
    for step in range(_WHITENING_STEPS):
        images = normalise_images(batches[step].images).flatten(0, 1)
        columns = functional.unfold(images, PATCH_SIZE, stride=PATCH_SIZE)
        patches.append(columns.transpose(1, 2).reshape(-1, 3, PATCH_SIZE, PATCH_SIZE))
    return torch.cat(patches)


class _Clock:
    """Tells what is due in this session."""

    def __init__(self, settings: TrainingSettings, first_step: int) -> None:
        self.settings = settings
        self.start = time.monotonic()
        self.first_step = first_step
        self.last: dict[str, float] = {}
        self.reported = (first_step, self.start)

    def minutes(self) -> float:
        """Return the age of the session."""
        return (time.monotonic() - self.start) / 60

    def is_due(self, name: str, every_s: float) -> bool:
        """Tell whether something was not done for a while, and note that it is done now."""
        now = time.monotonic()
        if now - self.last.setdefault(name, self.start) < every_s:
            return False
        self.last[name] = now
        return True

    def is_over(self) -> bool:
        """Tell whether a session without a last phase has used its time."""
        settings = self.settings
        return (
            settings.minutes > 0
            and not settings.decay_share
            and (self.minutes() >= settings.minutes)
        )

    def seconds_per_step(self, step: int) -> float:
        """Return the mean time of a step in this session."""
        return (time.monotonic() - self.start) / max(step - self.first_step, 1)

    def find_decay_minutes(self) -> float | None:
        """Return the length of the last phase if it should begin now."""
        settings, order = self.settings, self.settings.out / FINISH
        if order.exists():
            text = order.read_text(encoding="utf-8").strip()
            order.unlink()
            return float(text or _FINISH_MINUTES)
        if settings.minutes and settings.decay_share:
            rest = settings.minutes - self.minutes()
            if rest <= settings.minutes * settings.decay_share:
                return max(rest, 0.0)
        return None

    def report(self, trainer: Trainer, sums: dict[str, float]) -> None:
        """Log the means of some steps and the speed."""
        progress = trainer.progress
        step, now = self.reported
        count = max(progress.step - step, 1)
        self.reported = (progress.step, time.monotonic())
        means = {name: round(value / count, 5) for name, value in sums.items()}
        trainer._log(  # noqa: SLF001  a part of the same loop
            {
                **means,
                "steps_per_s": round(count / (time.monotonic() - now), 3),
                "rate": trainer.optimizers[0].param_groups[0]["lr"],
                "pictures": progress.pictures,
            }
        )
