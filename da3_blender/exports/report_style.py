# SPDX-FileCopyrightText: 2026 Depth Anything 3 for Blender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a report looks, in light and in dark.

Runs in the engine.
"""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--page:#fafaf8;--card:#fff;--ink:#1c1e21;--soft:#62676d;
--line:#e3e4e1;--first:#2a6bb0;--second:#c05a17;--note:#8a5a00}
@media (prefers-color-scheme:dark){:root{--page:#16181b;--card:#1e2125;--ink:#e8e9ea;
--soft:#9aa1a8;--line:#32363b;--first:#6cabf0;--second:#f09a56;--note:#e5b45a}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:960px;margin:0 auto;padding:32px 20px 64px}
header p,section p,figcaption,.tile span,.scale,.legend{color:var(--soft)}
h1{font-size:26px;margin:0}h2{font-size:17px;margin:0 0 4px}p{margin:0 0 10px}
header{margin-bottom:20px}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;
padding:18px 20px;margin:0 0 16px}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:16px}
.tile b{display:block;font-size:20px;font-weight:600;overflow-wrap:anywhere}
.tile span{font-size:13px}
.note{color:var(--note)}
svg{display:block;width:100%;height:auto}.heat{max-width:430px;border:1px solid var(--line)}
.grid{stroke:var(--line)}.tick{fill:var(--soft);font-size:12px}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.band{fill-opacity:.18;stroke:none}
.line.first{stroke:var(--first)}.line.second{stroke:var(--second)}
.band.first,.dot.first,.cell{fill:var(--first)}.dot.second{fill:var(--second)}
.legend{display:flex;gap:16px;font-size:13px}.key i{display:inline-block;width:14px;height:3px;
margin-right:6px;vertical-align:middle}i.first{background:var(--first)}
i.second{background:var(--second)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}
th{text-align:left;font-weight:600;color:var(--soft)}
th,td{padding:6px 12px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:16px}
figure{margin:0}img{width:100%;height:auto;display:block;border-radius:6px}
figcaption{font-size:13px;overflow-wrap:anywhere}
.scale{display:flex;align-items:center;gap:10px;font-size:13px;margin-bottom:12px}
.scale i{width:180px;height:8px;border-radius:4px}
@media print{section{break-inside:avoid}}
"""
