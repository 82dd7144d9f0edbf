# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run: read the input, find cameras, predict depth, fuse, write the result.

Runs in the engine.
"""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..contract.names import LOG_FILE
from ..contract.protocol import VERSION
from ..contract.result_folder import ResultWriter, translate_disk_errors
from ..media import open_source
from ..solve import STAGES as COLMAP_STAGES
from ..solve import solve_cameras
from .choice import STAGE_DOWNLOAD, Choice, choose_solver, fetch_checkpoint
from .dense import NetworkKeeper, predict_dense
from .forecast import SPEED, find_speed, measure_speed, say_forecast
from .outcome import Outcome, outcome_from_sparse
from .photos import PinholePhotos
from .points import thin_cloud
from .world import orient_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract.estimates import MeasuredSpeed
    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource

STAGE_READ: Final = "Reading the input"
STAGE_PHOTOS: Final = "Preparing photos"
STAGE_NETWORK: Final = "Estimating depth"
STAGE_WRITE: Final = "Writing the result"

_log = logging.getLogger(__name__)


class Pipeline:
    """Runs jobs one after the other; a loaded network stays for the next one."""

    def __init__(self) -> None:
        self._networks = NetworkKeeper()
        self._speeds: list[MeasuredSpeed] = []
        self._writer: ResultWriter | None = None

    def abandon(self) -> None:
        """Remove the unfinished files of a run that is being killed; safe from any thread."""
        writer = self._writer
        if writer is not None:
            writer.discard()

    def fetch(self, model_id: str, progress: Progress) -> dict[str, Any]:
        """Download the weights of a model, with the permission of the user.

        Args:
            model_id: one of `contract.models.MODELS`.
            progress: is told of the bytes and asked about cancelling.

        Returns:
            A summary for people: folder (that of the file), model, bytes.

        Raises:
            EngineError: with a remedy.
            CancelledError: by the user's wish; what has arrived is kept for the next time.
        """
        progress.plan([(STAGE_DOWNLOAD, 1.0)])
        path = fetch_checkpoint(model_id, progress)
        return {"folder": str(path.parent), "model": model_id, "bytes": path.stat().st_size}

    def run(self, settings: RunSettings, progress: Progress) -> dict[str, Any]:
        """Do one run.

        Args:
            settings: what to do.
            progress: is told of every step and asked about cancelling.

        Returns:
            A summary for people: folder, views, cameras, lost, points, solver, seconds, notes.

        Raises:
            EngineError: with a remedy; nothing of the run is left on the disk.
            CancelledError: the same, by the user's wish.
        """
        began_s = time.monotonic()
        settings.check()
        progress.plan([(STAGE_READ, 1.0), (STAGE_DOWNLOAD, 1.0)])
        progress.begin(STAGE_READ)
        source = open_source(settings)
        writer = ResultWriter(Path(settings.output))
        self._writer = writer
        notes: list[str] = []
        tell, progress.note = progress.note, lambda text: (notes.append(text), tell(text))[1]
        try:
            with _log_to(writer.work / LOG_FILE):
                _log.info("version %s, settings %s", VERSION, settings.to_json())
                for sentence in source.skipped:
                    progress.note(sentence)
                outcome = self._reconstruct(settings, source, writer, progress)
                progress.begin(STAGE_WRITE)
                seconds = time.monotonic() - began_s
                _log.info("done in %.1f s", seconds)
            _write(outcome, writer)
            writer.finish(_make_manifest(outcome, settings, source, notes, seconds))
        except BaseException:
            writer.discard()
            raise
        finally:
            self._writer = None
            progress.note = tell
        return {
            "folder": str(writer.folder),
            "name": name_input(settings),
            "views": len(source.views),
            "cameras": len(outcome.indices),
            "lost": len(source.views) - len(outcome.indices),
            "points": len(outcome.cloud.positions),
            "solver": outcome.solver,
            "seconds": round(seconds, 1),
            "notes": notes,
            SPEED: None if outcome.speed is None else outcome.speed.to_json(),
        }

    def _reconstruct(
        self,
        settings: RunSettings,
        source: PhotoSource,
        writer: ResultWriter,
        progress: Progress,
    ) -> Outcome:
        choice = choose_solver(settings, progress)
        progress.plan(_plan_stages(choice))
        outcome = None
        if choice.use_colmap:
            with translate_disk_errors(writer.folder):
                work = writer.work / "colmap"
                work.mkdir()
            sparse = solve_cameras(source, work, settings, progress)
            outcome = outcome_from_sparse(sparse)
            _keep_only_model(work)
        progress.begin(STAGE_PHOTOS if choice.checkpoint is None else STAGE_NETWORK)
        indices = outcome.indices if outcome else list(range(len(source.views)))
        lenses = outcome.lens_per_camera() if outcome else [None] * len(indices)
        photos = PinholePhotos(source, indices, lenses, writer.work)
        if choice.checkpoint is not None:
            network = self._networks.get(choice.checkpoint, settings, progress)
            began_s = time.monotonic()
            device = network.describe_device()
            wanted = (device.name, settings.model, network.precision)
            speed = find_speed(self._speeds, writer.folder, wanted)
            say_forecast(network, [source.views[i] for i in indices], settings, speed, progress)
            outcome = predict_dense(network, photos, source, settings, progress, outcome)
            seconds = time.monotonic() - began_s
            speed = measure_speed(network, device, settings, len(indices), seconds)
            if speed is not None:
                self._speeds.append(speed)
                outcome = outcome.replace(speed=speed)
        else:
            photos.save_copies(progress)
        outcome = outcome.replace(photos=photos.files, solver=choice.title)
        world = orient_world(
            outcome.w2c, outcome.cloud.positions, settings.world_up, is_metric=outcome.is_metric
        )
        outcome = outcome.moved(world)
        return outcome.replace(cloud=thin_cloud(outcome.cloud, settings.max_points))


def name_input(settings: RunSettings) -> str:
    """Return a short name of the input: the folder's, or the video's without its ending."""
    path = Path(settings.inputs[0])
    if len(settings.inputs) > 1 or settings.input_kind == "SEQUENCE":
        return path.parent.name if path.suffix else path.name
    return path.stem if path.suffix and path.is_file() else path.name


def _plan_stages(choice: Choice) -> list[tuple[str, float]]:
    """Return the stages with their shares of the time, COLMAP's together being 1."""
    stages = [(STAGE_READ, 0.02)]
    if choice.use_colmap:
        stages += COLMAP_STAGES
    stages.append((STAGE_PHOTOS, 0.1) if choice.checkpoint is None else (STAGE_NETWORK, 1.0))
    return [*stages, (STAGE_WRITE, 0.03)]


def _keep_only_model(work: Path) -> None:
    """Remove COLMAP's features and database: large, and made again in no time."""
    for path in work.iterdir():
        if path.is_file():
            path.unlink()
        elif path.name != "sparse":
            shutil.rmtree(path)


def _write(outcome: Outcome, writer: ResultWriter) -> None:
    writer.save_array("w2c", np.asarray(outcome.w2c, np.float64))
    writer.save_array("K", np.asarray(outcome.K, np.float64))
    writer.save_array("points", outcome.cloud.positions.astype(np.float32))
    writer.save_array("colours", outcome.cloud.colours)
    writer.save_array("confidence", outcome.cloud.confidence.astype(np.float32))
    writer.save_array("point_view", outcome.cloud.view.astype(np.int32))
    if outcome.dense is not None:
        writer.save_array("depth", outcome.dense.depth)
        writer.save_array("depth_confidence", outcome.dense.confidence)
        writer.save_array("grid_from_photo", outcome.dense.grid_from_photo)
        if outcome.dense.sky is not None:
            writer.save_array("sky", outcome.dense.sky)


def _make_manifest(
    outcome: Outcome,
    settings: RunSettings,
    source: PhotoSource,
    notes: list[str],
    seconds: float,
) -> dict[str, Any]:
    used = set(outcome.indices)
    return {
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": name_input(settings),
        "source": {
            "kind": source.kind.value,
            "path": settings.inputs[0],
            "fps": source.fps,
        },
        "solver": outcome.solver,
        "model": settings.model if outcome.dense is not None else "",
        "is_metric": outcome.is_metric,
        "views": [
            {
                **source.views[index].to_json(),
                "photo": outcome.photos[position],
                "lens": outcome.lens_of_camera[position],
                "residual_px": outcome.residual_px[position],
            }
            for position, index in enumerate(outcome.indices)
        ],
        "lost": [view.name for index, view in enumerate(source.views) if index not in used],
        "skipped": list(source.skipped),
        "lenses": [
            {**lens.to_json(), "undistorted": lens.needs_undistortion} for lens in outcome.lenses
        ],
        "world": {"up": settings.world_up, "world_from_solver": outcome.world.to_json()},
        "settings": settings.to_json(),
        SPEED: None if outcome.speed is None else outcome.speed.to_json(),
        "notes": notes,
        "seconds": round(seconds, 2),
    }


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Copy this process's log to a file for as long as a run takes."""
    with translate_disk_errors(path):
        handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root, ours = logging.getLogger(), logging.getLogger(__package__.rpartition(".")[0])
    level = ours.level
    ours.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        ours.setLevel(level)
        handler.close()
