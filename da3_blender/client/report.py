# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of "Copy Report": what somebody else needs to understand a run.

Runs in Blender.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from ..contract.masking import mask_private
from ..contract.protocol import PROTOCOL, VERSION

if TYPE_CHECKING:
    from ..contract.settings import RunSettings
    from .engine_status import EngineStatus
    from .job import Job
    from .setup_job import SetupJob


def make_report(
    job: Job | None,
    facts: dict[str, object],
    status: EngineStatus | None = None,
    setup: SetupJob | None = None,
) -> str:
    """Write versions, settings, notes, error and last log lines as Markdown.

    Args:
        job: the present or last job, if there was one.
        facts: more versions, such as {"Blender": "4.5.15"}.
        status: of the engine, if it is known.
        setup: the present or last set-up of the engine, if there was one.

    Returns:
        Text without the home folder and the user name.
    """
    versions = {
        "DA3 Reconstruction": f"{VERSION} (protocol {PROTOCOL})",
        "Python": platform.python_version(),
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
        **facts,
    }
    if status is not None:
        versions["Engine"] = _describe_engine(status)
    lines = ["## DA3 Reconstruction report", "", *_list_values(versions)]
    if setup is not None:
        lines += _describe_setup(setup)
    lines += ["", "No run in this session."] if job is None else _describe_job(job)
    return mask_private("\n".join(lines)) + "\n"


def _describe_engine(status: EngineStatus) -> str:
    stamp = status.stamp
    if stamp is None:
        return f"{status.condition.value} {status.trouble}".rstrip()
    return (
        f"{status.condition.value}, torch {stamp.torch}, Python {stamp.python} "
        f"({stamp.python_origin}), {stamp.device} {stamp.device_name}, made {stamp.made} "
        f"from {stamp.source} {status.trouble}"
    ).rstrip()


def _describe_setup(setup: SetupJob) -> list[str]:
    lines = ["", f"### {setup.words} of the engine", ""]
    lines += _list_values(
        {
            "State": setup.state.value,
            "Stage": f"{setup.stage or '-'} {setup.detail}".rstrip(),
            "Progress": f"{setup.fraction:.0%}",
            "Seconds": f"{setup.elapsed_s():.1f}",
        }
    )
    if setup.error is not None:
        lines += [f"- {setup.error.code.value}: {setup.error.message} {setup.error.hint}"]
    lines += [f"- {line}" for line in (*setup.notes, *setup.findings)]
    if setup.log_tail:
        lines += ["", "```", *setup.log_tail, "```"]
    return lines


def _describe_job(job: Job) -> list[str]:
    lines = ["", "### Run", ""]
    lines += _list_values(
        {
            "State": job.state.value,
            "Stage": f"{job.stage or '-'} {job.detail}".rstrip(),
            "Progress": f"{job.fraction:.0%}",
            "Seconds": f"{job.elapsed_s():.1f}",
        }
    )
    if job.error is not None:
        lines += ["", "### Error", "", f"- {job.error.code.value}: {job.error.message}"]
        lines += [f"- {job.error.hint}"]
    if job.notes:
        lines += ["", "### Notes", "", *(f"- {note}" for note in job.notes)]
    if job.summary is not None:
        lines += ["", "### Summary", "", *_list_values(job.summary)]
    if job.settings is None:
        lines += ["", f"Download of {job.model}."]
    else:
        lines += ["", "### Settings", "", *_list_settings(job.settings)]
    if job.log_tail:
        lines += ["", "### Log", "", "```", *job.log_tail, "```"]
    return lines


def _list_settings(settings: RunSettings) -> list[str]:
    values = settings.to_json()
    inputs = values.pop("inputs")
    more = f" and {len(inputs) - 1} more" if len(inputs) > 1 else ""
    return _list_values({"inputs": f"{inputs[0]}{more}" if inputs else "none", **values})


def _list_values(values: dict[str, object]) -> list[str]:
    return [f"- {name}: {value}" for name, value in values.items()]
