# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The optional torch.compile of the transformer blocks, and why it may not be possible.

Runs in the engine. A machine needs a C compiler and Python's headers for it, which most users'
machines lack, and each new number of photos costs up to a minute; so it is off by default, and a
run that cannot have it goes on without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..network.block import Block

if TYPE_CHECKING:
    from torch import nn


def compile_blocks(network: nn.Module, device: torch.device) -> str:
    """Let torch.compile have the blocks; they are compiled when they first run.

    Args:
        network: changed in place, unless it cannot be compiled.
        device: where it runs; graphics cards only, because a processor gains nothing: its
            products are faster through `network/products.py` than what the compiler emits.

    Returns:
        "", or why nothing was compiled, as a part of a sentence.
    """
    if device.type == "cpu":
        return "it makes processors slower"
    trouble = _try_compiler(device)
    if not trouble:
        for module in network.modules():
            if isinstance(module, Block):
                module.compile()
    return trouble


def leave_compiled(network: nn.Module) -> None:
    """Let all blocks run as they are written again."""
    for module in network.modules():
        module._compiled_call_impl = None  # noqa: SLF001 - nn.Module.compile has no way back


def is_compiler_failure(error: RuntimeError) -> bool:
    """Tell whether an error comes from torch.compile and not from the network."""
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))


def _try_compiler(device: torch.device) -> str:
    """Compile something tiny; return "" or the first line of what went wrong."""
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.ones(8, device=device))
    except (RuntimeError, ImportError, OSError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return f"the compiler does not work here ({lines[0]})"
    return ""
