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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract.errors import CancelledError, EngineError, ErrorCode
from ..contract.names import LOG_FILE
from ..contract.protocol import VERSION
from ..contract.result_folder import ResultWriter, translate_disk_errors
from ..contract.views import SourceKind
from ..media import open_source
from ..media.doubtful_photos import describe_findings, find_doubtful_photos
from ..media.frame_masks import FrameMasks
from ..solve import STAGES as COLMAP_STAGES
from ..solve import solve_cameras
from .again import run_again
from .between_frames import measure_between, pose_between, spread_outcome
from .choice import (
    STAGE_DOWNLOAD,
    Choice,
    choose_solver,
    fetch_checkpoint,
)
from .dense import NetworkKeeper, predict_dense
from .doubt import find_doubt
from .export_run import run_exports
from .forecast import find_speed, measure_speed, say_forecast
from .known_cameras import (
    keep_world,
    make_still_cameras,
    read_known_cameras,
    spread_known,
)
from .long_sequence import is_long, name_chunks_folder, predict_long
from .outcome import Outcome, outcome_from_sparse
from .photos import PinholePhotos
from .picked_frames import has_keyframes, pick_frames, poses_between
from .points import thin_cloud
from .preview import show_preview
from .refine_run import keep_only_model, list_refine_stages, refine_outcome, wants_refining
from .result_writing import make_manifest, name_input, summarise, write_outcome
from .run_log import log_to
from .stages import (
    STAGE_BETWEEN,
    STAGE_CHECK,
    STAGE_KEYFRAMES,
    STAGE_NETWORK,
    STAGE_PHOTOS,
    STAGE_READ,
    STAGE_WRITE,
)
from .world import orient_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract.estimates import MeasuredSpeed
    from ..contract.export_request import ExportRequest
    from ..contract.progress import Progress
    from ..contract.settings import RunSettings
    from ..contract.views import PhotoSource
    from ..media.doubtful_photos import Finding
    from ..solve import SparseSolution

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

    def fetch(self, model_id: str, progress: Progress, folder: str = "") -> dict[str, Any]:
        """Download the weights of a model, with the permission of the user.

        Args:
            model_id: one of `contract.models.MODELS`.
            progress: is told of the bytes and asked about cancelling.
            folder: used as the cache; "" is the usual one.

        Returns:
            A summary for people: folder (that of the file), model, bytes.

        Raises:
            EngineError: with a remedy.
            CancelledError: by the user's wish; what has arrived is kept for the next time.
        """
        progress.plan([(STAGE_DOWNLOAD, 1.0)])
        path = fetch_checkpoint(model_id, progress, Path(folder) if folder else None)
        return {"folder": str(path.parent), "model": model_id, "bytes": path.stat().st_size}

    def export(self, request: ExportRequest, progress: Progress) -> dict[str, Any]:
        """Write an existing result for other programs; see `run_exports`.

        Raises:
            EngineError: with a remedy.
            CancelledError: by the user's wish.
        """
        return run_exports(request, progress)

    def check(self, settings: RunSettings, progress: Progress) -> dict[str, Any]:
        """Look at the input without running anything.

        Args:
            settings: of the run to come; the input and its frames are read.
            progress: is told of every photo and asked about cancelling.

        Returns:
            folder (""), kind, views (their number), width and height of the first one, findings
            (name, kind and text each) and skipped (sentences). A video is not decoded.

        Raises:
            EngineError: there is no input that could be used.
            CancelledError: by the user's wish.
        """
        progress.plan([(STAGE_CHECK, 1.0)])
        progress.begin(STAGE_CHECK)
        source = open_source(settings)
        first = source.views[0]
        return {
            "folder": "",
            "kind": source.kind.value,
            "views": len(source.views),
            "width": first.width,
            "height": first.height,
            "findings": [finding.to_json() for finding in _look_at_photos(source, progress)],
            "skipped": list(source.skipped),
        }

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
        if settings.reuse:
            return run_again(self._write_result, self._networks, settings, progress, began_s)
        source = open_source(settings)
        with self._write_result(settings, progress) as (writer, notes):
            with log_to(writer.work / LOG_FILE):
                _log.info("version %s, settings %s", VERSION, settings.to_json())
                for sentence in source.skipped:
                    progress.note(sentence)
                outcome, doubt, source = self._reconstruct(settings, source, writer, progress)
                if settings.make_splats and outcome.dense is None:
                    progress.note("There are no splats: no network was run.")
                progress.begin(STAGE_WRITE)
                seconds = time.monotonic() - began_s
                _log.info("done in %.1f s", seconds)
            write_outcome(outcome, writer)
            manifest = make_manifest(outcome, settings, source, notes, seconds)
            for view, why in zip(manifest["views"], doubt, strict=True):
                view["doubt"] = why
            manifest["is_partial"] = progress.is_ending
            writer.finish(manifest)
        shutil.rmtree(name_chunks_folder(Path(settings.output)), ignore_errors=True)
        return {
            **summarise(outcome, doubt, seconds, notes),
            "folder": str(writer.folder),
            "name": name_input(settings),
            "views": len(source.views),
            "lost": len(source.views) - len(outcome.indices),
            "is_partial": progress.is_ending,
        }

    @contextmanager
    def _write_result(
        self, settings: RunSettings, progress: Progress
    ) -> Iterator[tuple[ResultWriter, list[str]]]:
        """Give the writer of a result and its notes; nothing is left if the body fails."""
        writer = ResultWriter(Path(settings.output))
        self._writer = writer
        notes: list[str] = []
        tell, progress.note = progress.note, lambda text: (notes.append(text), tell(text))[1]
        try:
            yield writer, notes
        except BaseException:
            writer.discard()
            raise
        finally:
            self._writer = None
            progress.note = tell

    def _reconstruct(
        self,
        settings: RunSettings,
        source: PhotoSource,
        writer: ResultWriter,
        progress: Progress,
    ) -> tuple[Outcome, list[str], PhotoSource]:
        """Return what was found, for each camera why it is doubtful, and the frames of the result.

        Where keyframes are chosen all steps but the last work on a source of keyframes only.
        """
        choice = choose_solver(settings, progress)
        checks = settings.check_photos and source.kind is SourceKind.PHOTOS
        stages = _plan_stages(choice, settings, checks=checks)
        if not has_keyframes(settings, source):
            progress.plan(stages)
            found = self._find_scene(choice, settings, source, writer, progress)
            return *_refine(*found, (settings, source, writer, progress)), source
        look = (STAGE_KEYFRAMES, 0.1)
        progress.plan([look, *stages])
        progress.begin(STAGE_KEYFRAMES)
        keys = pick_frames(source, settings, progress)
        has_between = poses_between(settings, source, choice)
        if has_between:
            share = measure_between(len(keys.views), len(source.views))
            at = stages.index((STAGE_NETWORK, 1.0)) + 1
            stages.insert(at, (STAGE_BETWEEN, share))
        progress.plan([look, *stages])
        outcome, doubt = self._find_scene(choice, settings, keys, writer, progress)
        full = None
        if has_between and not progress.is_ending:
            known = spread_outcome(outcome, keys.chosen)
            full = self._pose_between(choice, known, (settings, source, writer, progress))
        is_given = choice.has_known_cameras or choice.is_tripod
        if is_given and settings.pose_between and not progress.is_ending:
            known = spread_outcome(outcome, keys.chosen)
            every = self._read_given(choice, settings, source, progress).moved(outcome.world)
            full = spread_known(known, every, source, writer.work, progress)
        if full is None:
            return *_refine(outcome, doubt, (settings, keys, writer, progress)), keys
        doubts = dict(zip(known.indices, doubt, strict=True))
        doubt = [doubts.get(index, "") for index in full.indices]
        return *_refine(full, doubt, (settings, source, writer, progress)), source

    def _find_scene(
        self,
        choice: Choice,
        settings: RunSettings,
        source: PhotoSource,
        writer: ResultWriter,
        progress: Progress,
    ) -> tuple[Outcome, list[str]]:
        """Return cameras, depth and points in their final world, and why cameras are doubtful."""
        if settings.check_photos and source.kind is SourceKind.PHOTOS:
            progress.begin(STAGE_CHECK)
            for sentence in describe_findings(_look_at_photos(source, progress)):
                progress.note(sentence)
        sparse = None
        if choice.has_known_cameras or choice.is_tripod:
            sparse = self._read_given(choice, settings, source, progress)
        elif choice.use_colmap:
            sparse = self._solve(settings, source, writer, progress)
        checkpoint = None if progress.is_ending else choice.checkpoint
        outcome = None
        if checkpoint is not None:
            outcome = self._predict(checkpoint, sparse, (settings, source, writer, progress))
        if outcome is None:
            progress.begin(STAGE_PHOTOS)
            photos = _make_photos(source, sparse, writer)
            photos.save_copies(progress)
            alone = choice._replace(checkpoint=None)
            outcome = sparse.replace(photos=photos.files, solver=alone.title)
        else:
            outcome = outcome.replace(solver=choice.title)
        if progress.is_ending:
            progress.note("The run was ended early; what was found by then is kept.")
        if choice.has_known_cameras:  # these say where the world is, how it lies and its size
            outcome = keep_world(outcome, sparse)
        else:
            world = orient_world(
                outcome.w2c, outcome.cloud.positions, settings.world_up, is_metric=outcome.is_metric
            )
            outcome = outcome.moved(world)
        doubt = find_doubt(outcome, None if sparse is None else sparse.observations)
        return outcome.replace(cloud=thin_cloud(outcome.cloud, settings.max_points)), doubt

    @staticmethod
    def _read_given(
        choice: Choice, settings: RunSettings, source: PhotoSource, progress: Progress
    ) -> Outcome:
        """Return cameras that nobody has to look for."""
        if choice.has_known_cameras:
            return read_known_cameras(source, settings, progress)
        return make_still_cameras(source, settings)

    def _pose_between(
        self,
        choice: Choice,
        outcome: Outcome,
        run: tuple[RunSettings, PhotoSource, ResultWriter, Progress],
    ) -> Outcome | None:
        """Give cameras to the frames between; None where the user wants what exists instead."""
        settings, source, writer, progress = run
        progress.begin(STAGE_BETWEEN)
        try:
            network = self._networks.get(choice.checkpoint, settings, progress)
            places = (writer.folder, writer.work)
            return pose_between(network, outcome, source, settings, progress, places)
        except CancelledError:
            if not progress.accept_end():
                raise
            progress.note("The run was ended early; the frames between keyframes have no cameras.")
            return None

    def _solve(
        self,
        settings: RunSettings,
        source: PhotoSource,
        writer: ResultWriter,
        progress: Progress,
    ) -> Outcome:
        """Let COLMAP find the cameras; show them as they come."""

        def show(found: SparseSolution) -> None:
            total = len(source.views)
            show_preview(
                outcome_from_sparse(found), total, writer.work, settings.world_up, progress
            )

        with translate_disk_errors(writer.folder):
            work = writer.work / "colmap"
            work.mkdir()
        masks = FrameMasks(source.views, settings.masks, inverted=settings.masks_inverted)
        solution = solve_cameras(source, work, settings, progress, show, masks.read)
        sparse = outcome_from_sparse(solution)
        keep_only_model(work)
        return sparse

    def _predict(
        self,
        checkpoint: Path,
        sparse: Outcome | None,
        run: tuple[RunSettings, PhotoSource, ResultWriter, Progress],
    ) -> Outcome | None:
        """Run the network; None where the user wants to keep the cameras of COLMAP instead."""
        settings, source, writer, progress = run
        progress.begin(STAGE_NETWORK)
        photos = _make_photos(source, sparse, writer)
        photos.use_masks(FrameMasks(source.views, settings.masks, inverted=settings.masks_inverted))
        _tell_of_masks(photos.masks, progress)
        views = [source.views[index] for index in photos.indices]
        try:
            network = self._networks.get(checkpoint, settings, progress)
            device = network.describe_device()
            wanted = (device.name, settings.model, network.precision)
            earlier = find_speed(self._speeds, writer.folder, wanted)
            if sparse is None and is_long(settings, source):
                # chunks neither take the memory of all frames nor tell the speed of one look
                places = (writer.folder, writer.work)
                outcome = predict_long(network, photos, source, settings, progress, places)
                return outcome.replace(photos=photos.files[: len(outcome.indices)])
            say_forecast(network, views, settings, earlier, progress)
            began_s = time.monotonic()
            outcome = predict_dense(network, photos, source, settings, progress, sparse)
        except CancelledError:
            if sparse is None or not progress.accept_end():
                raise
            return None
        seconds = time.monotonic() - began_s
        speed = measure_speed(network, device, settings, len(views), seconds)
        if speed is not None:
            self._speeds.append(speed)
        return outcome.replace(photos=photos.files, speed=speed)


def _look_at_photos(source: PhotoSource, progress: Progress) -> list[Finding]:
    if source.kind is SourceKind.VIDEO:
        return []
    return find_doubtful_photos(
        source, lambda done, count: progress.report(done / count, f"{done} of {count} photos")
    )


def _make_photos(
    source: PhotoSource, sparse: Outcome | None, writer: ResultWriter
) -> PinholePhotos:
    indices = sparse.indices if sparse else list(range(len(source.views)))
    lenses = sparse.lens_per_camera() if sparse else [None] * len(indices)
    return PinholePhotos(source, indices, lenses, writer.work)


def _tell_of_masks(masks: FrameMasks, progress: Progress) -> None:
    missing = masks.count_missing()
    if missing:
        progress.note(f"{missing} photos or frames have no picture in the masks folder.")


def _plan_stages(choice: Choice, settings: RunSettings, *, checks: bool) -> list[tuple[str, float]]:
    """Return the stages with their shares of the time, COLMAP's together being 1."""
    stages = [(STAGE_READ, 0.02)]
    if checks:
        stages.append((STAGE_CHECK, 0.05))
    if choice.use_colmap:
        stages += COLMAP_STAGES
    stages.append((STAGE_PHOTOS, 0.1) if choice.checkpoint is None else (STAGE_NETWORK, 1.0))
    if wants_refining(settings):
        stages += list_refine_stages()
    return [*stages, (STAGE_WRITE, 0.03)]


def _refine(
    outcome: Outcome,
    doubt: list[str],
    run: tuple[RunSettings, PhotoSource, ResultWriter, Progress],
) -> tuple[Outcome, list[str]]:
    """Refine cameras where that is wanted; what cannot be refined stays as it was."""
    settings, source, writer, progress = run
    if not wants_refining(settings) or progress.is_ending:
        return outcome, doubt
    try:
        refined = refine_outcome(outcome, source, settings, writer.work, progress)
    except EngineError as error:
        if error.code is not ErrorCode.CAMERAS_NOT_FOUND or settings.is_tripod:
            raise
        progress.note(f"The cameras were not refined. {error.message} {error.hint}")
        return outcome, doubt
    if refined.tracks is None:
        return refined, doubt
    if settings.is_tripod:
        # only now it is known how the cameras are turned
        world = orient_world(
            refined.w2c, refined.cloud.positions, settings.world_up, is_metric=refined.is_metric
        )
        refined = refined.moved(world)
    return refined, find_doubt(refined, refined.observations)
