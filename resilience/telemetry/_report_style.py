"""How the page of a report looks: light or dark, wide or narrow."""

from __future__ import annotations

__all__ = ["FRAME", "STYLE"]

# Of the page around the report.
FRAME = "body{margin:0}@media (prefers-color-scheme:dark){body{background:#14171b}}"

# Colours that people tell apart however they see them (Okabe and Ito, 2008).
STYLE = """
.resilience-report{--paper:#fff;--ink:#1b1f24;--quiet:#59636e;--line:#d8dee4;--tile:#f4f6f8;
--good:#009e73;--bad:#d55e00;--warn:#e69f00;--off:#8c959f;--bar:#56a3d9;--retry:#0060a8;
background:var(--paper);color:var(--ink);font:14px/1.45 system-ui,sans-serif;
max-width:960px;margin:0 auto;padding:16px;box-sizing:border-box;color-scheme:light dark}
@media (prefers-color-scheme:dark){.resilience-report{--paper:#14171b;--ink:#e6e9ed;
--quiet:#9aa4af;--line:#323941;--tile:#1d2228;--good:#17b88a;--bad:#f07c33;--warn:#f0b429;
--off:#7d8790;--bar:#4a90c4;--retry:#8ac6f4}}
.resilience-report *{box-sizing:border-box}
.resilience-report h1{font-size:22px;margin:0;overflow-wrap:anywhere}
.resilience-report h2{font-size:15px;margin:28px 0 8px}
.resilience-report .quiet{color:var(--quiet);margin:2px 0 0}
.resilience-report .tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(104px,1fr));
gap:8px;margin:16px 0 0}
.resilience-report .tiles div{background:var(--tile);border-radius:6px;padding:8px 10px;
color:var(--quiet);font-size:12px}
.resilience-report .tiles b{display:block;color:var(--ink);font-size:18px;font-weight:600}
.resilience-report .drawing{position:relative;height:170px;border-bottom:1px solid var(--line)}
.resilience-report svg{display:block;width:100%;height:100%}
.resilience-report .drawing span{position:absolute;padding:0 4px;font-size:12px;line-height:1.2;
white-space:nowrap;background:var(--paper);opacity:.9;border-radius:3px}
.resilience-report .axis{position:relative;height:20px;font-size:12px;color:var(--quiet)}
.resilience-report .axis span{position:absolute;width:0}
.resilience-report .axis b{position:absolute;font-weight:400;white-space:nowrap;
transform:translateX(-50%)}
.resilience-report .axis span:first-child b{transform:none}
.resilience-report .axis span:last-child b{transform:translateX(-100%)}
.resilience-report .band{margin:6px 0}
.resilience-report .band span{display:block;font-size:12px;overflow-wrap:anywhere}
.resilience-report .band svg{height:14px;border-radius:3px}
.resilience-report .legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 16px;padding:0;
margin:6px 0 0;font-size:12px}
.resilience-report .legend i{display:inline-block;width:10px;height:10px;border-radius:2px;
margin-right:5px}
.resilience-report .success,.resilience-report .closed{fill:var(--good);background:var(--good)}
.resilience-report .failure,.resilience-report .open{fill:var(--bad);background:var(--bad)}
.resilience-report .refused,.resilience-report .half-open{fill:var(--warn);background:var(--warn)}
.resilience-report .cancelled,.resilience-report .disabled{fill:var(--off);background:var(--off)}
.resilience-report .resting{fill:var(--warn);background:var(--warn)}
.resilience-report .rejected{fill:var(--bad);background:var(--bad)}
.resilience-report .ready{fill:var(--line)}
.resilience-report rect.bar{fill:var(--bar)}
.resilience-report i.retries{background:var(--retry)}
.resilience-report path{fill:none;vector-effect:non-scaling-stroke}
.resilience-report path.retries{stroke:var(--retry);stroke-width:1.5}
.resilience-report path.mark{stroke:var(--ink);stroke-width:1;stroke-dasharray:4 3}
.resilience-report .columns{columns:250px 3;column-gap:32px}
.resilience-report .columns section{break-inside:avoid;padding-top:1px}
.resilience-report table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
.resilience-report th,.resilience-report td{padding:3px 0 3px 12px;text-align:right;
border-bottom:1px solid var(--line);font-weight:400}
.resilience-report tbody th{text-align:left;padding-left:0;overflow-wrap:anywhere;
min-width:90px}
.resilience-report td{white-space:nowrap}
.resilience-report thead th{color:var(--quiet);font-size:12px}
@media (max-width:600px){.resilience-report .many thead{display:none}
.resilience-report .many tr{display:flex;flex-wrap:wrap;gap:0 14px;padding:4px 0;
border-bottom:1px solid var(--line)}
.resilience-report .many tbody th{flex:0 0 100%}
.resilience-report .many th,.resilience-report .many td{border:0;padding:0}
.resilience-report .many td::before{content:attr(data-of) " ";color:var(--quiet);font-size:12px}}
""".strip().replace("\n", "")
