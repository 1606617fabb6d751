"""The page's style sheet: one column, light and dark, narrow screens and paper."""

from openmie.report.entity_numbers import lighting
from openmie.report.label_colours import COLOURS, NO_LABEL

_LIGHT = (
    "--ground:#f6f7f9;--card:#ffffff;--ink:#1b2027;--quiet:#565f6b;--line:#dde1e7;--shade:#edf0f4;"
    "--right:#15784a;--wrong:#b53030;--missed:#8a5a00;"
)
_DARK = (
    "--ground:#0f1216;--card:#171b21;--ink:#e6e9ee;--quiet:#a3acb8;--line:#2c333c;--shade:#20262e;"
    "--right:#76d7a0;--wrong:#ff9d96;--missed:#f0c060;"
)


def _labels(side: int) -> str:
    plain = f"mark,.chip{{--c:{NO_LABEL[side]}}}"
    colours = "".join(f".c{i}{{--c:{pair[side]}}}" for i, pair in enumerate(COLOURS))
    chains = f".by-chain [data-e]{{--c:{NO_LABEL[side]}}}" + "".join(
        f'.by-chain [data-chain="{i}"]{{--c:{pair[side]}}}' for i, pair in enumerate(COLOURS)
    )
    return plain + colours + chains


def _boxes() -> str:
    """Boxes lie on pictures, which do not turn dark: their colour stays."""
    colours = "".join(f".boxed .c{i}{{--c:{pair[0]}}}" for i, pair in enumerate(COLOURS))
    chains = "".join(f'.by-chain .boxed [data-chain="{i}"]{{--c:{pair[0]}}}' for i, pair in enumerate(COLOURS))
    return f".boxed span{{--c:{NO_LABEL[0]}}}{colours}.by-chain .boxed [data-e]{{--c:{NO_LABEL[0]}}}{chains}"


_GENERAL = """
h3{font-size:1rem;margin:0 0 12px}
p{margin:0 0 12px}
.quiet,figcaption,small{color:var(--quiet)}
figcaption,small{font-size:.875rem}
figure{margin:0}
.scroll{overflow-x:auto;position:relative}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:start;font-weight:600;padding-bottom:10px}
th,td{text-align:start;padding:7px 20px 7px 0;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:break-word}
.code{font:600 .65rem/1 ui-monospace,monospace;border:1px solid currentcolor;border-radius:3px;padding:1px 3px;
opacity:.75;white-space:nowrap}
.spoken{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
"""
_PAGE = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","Noto Sans CJK SC","Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
main,header{max-width:1040px;margin:0 auto;padding:0 24px}
header{padding-top:48px}
h1{font-size:2rem;line-height:1.2;margin:0 0 12px;letter-spacing:-.015em;text-wrap:balance}
h2{font-size:1.3rem;margin:48px 0 16px;letter-spacing:-.01em}
.intro{max-width:72ch;font-size:1.05rem;white-space:pre-line}
nav ul,.key,.legend ul,.notes,.errors{list-style:none;margin:0;padding:0}
nav ul{display:flex;flex-wrap:wrap;gap:4px 20px;padding:8px 0}
a{color:inherit;text-underline-offset:.2em}
figure,.said,.images{min-width:0}
.cards{display:grid;gap:20px;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr))}
.cards>figure,.post,.notes{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px 24px}
.cards>.wide,.cards>.bars{grid-column:1/-1}
.cards figcaption{margin-top:12px;max-width:80ch}
thead th{color:var(--quiet);font-weight:500;font-size:.875rem;vertical-align:bottom}
tbody th{font-weight:500;min-width:9rem}
.number{overflow-wrap:normal;white-space:nowrap}
tbody tr:last-child>*{border-bottom:0}
.number{text-align:end}
th:last-child,td:last-child{padding-right:8px}
.marked>*{background:var(--shade);font-style:italic}
.marked>th{box-shadow:-8px 0 0 var(--shade)}
.bars dl{margin:0;display:grid;gap:12px}
.bar{display:grid;grid-template-columns:minmax(7rem,14rem) 1fr;gap:4px 16px;align-items:center}
.bar dt{font-weight:500}
.bar dd{margin:0;display:grid;grid-template-columns:1fr 9.5rem;gap:12px;align-items:center}
.track{position:relative;height:26px;background:var(--shade);border-radius:4px}
.fill{position:absolute;inset:0 auto 0 0;background:var(--c);border-radius:4px;opacity:.85}
.whisker{position:absolute;top:50%;height:0;border-top:2px solid var(--ink)}
.whisker::before,.whisker::after{content:"";position:absolute;top:-6px;height:10px;border-left:2px solid var(--ink)}
.whisker::before{left:0}.whisker::after{right:0}
.rule{position:absolute;top:-7px;bottom:-7px;width:0;border-left:2px solid var(--ink)}
.rule-key{display:inline-block;height:16px;border-left:2px solid var(--ink);margin-right:8px;vertical-align:-3px}
.r1{border-left-style:dashed}.r2{border-left-style:dotted}
.value{font-variant-numeric:tabular-nums;font-weight:600}
.value small{font-weight:400;margin-left:6px;white-space:nowrap}
.key{display:flex;flex-wrap:wrap;gap:4px 22px;margin-top:14px;font-size:.9375rem}
.plot{display:block;width:100%;max-width:540px;height:auto;overflow:hidden}
.plot text{fill:var(--quiet);font-size:12.5px}
.plot .grid{stroke:var(--line)}
.dots circle{fill:none;stroke:var(--quiet);stroke-width:1.2}
.dots .chosen{fill:var(--c);stroke:var(--c)}
polyline{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
.swatch{width:28px;height:8px;margin-right:7px;vertical-align:middle}
.legend{display:flex;flex-wrap:wrap;gap:6px 32px;margin-bottom:20px;font-size:.9375rem;line-height:2}
.legend ul{display:flex;flex-wrap:wrap;align-items:center;gap:6px 12px}
.legend li>*{display:inline-block;line-height:1.5}
"""
_CARDS = """
.post{display:grid;grid-template-columns:minmax(0,320px) minmax(0,1fr);gap:0 28px;margin-bottom:20px}
.post.bare{grid-template-columns:minmax(0,1fr)}
.post>h3{grid-column:1/-1;color:var(--quiet);font-weight:500;font-size:.9375rem;overflow-wrap:anywhere;display:flex;
flex-wrap:wrap;justify-content:space-between;gap:4px 20px}
.tally .right{color:var(--right)}.tally .wrong{color:var(--wrong)}.tally .missed{color:var(--missed)}
.images{display:grid;gap:12px;align-content:start}
.boxed{position:relative;border-radius:6px;line-height:0}
.boxed img{width:100%;height:auto;border-radius:6px;background:var(--shade)}
.unread{background:var(--shade);border-radius:6px;padding:14px;font-size:.875rem;overflow-wrap:anywhere}
.box{--veil:0%;--edge:2px;position:absolute;border:var(--edge) solid var(--c);border-radius:3px;
background:color-mix(in srgb,var(--c) var(--veil),transparent);box-shadow:0 0 0 1px rgb(255 255 255/.85),
inset 0 0 0 1px rgb(255 255 255/.85)}
.box.missed{border-style:dashed}
.box.words{border:1.5px dotted #1b2027;box-shadow:0 0 0 1px rgb(255 255 255/.7)}
.name{position:absolute;z-index:1;background:var(--c);color:#fff;font:600 12px/18px system-ui,sans-serif;padding:0 6px;
border-radius:3px;white-space:nowrap;max-width:200px;overflow:hidden;text-overflow:ellipsis}
.name.missed{background:#fff;color:var(--c);outline:1.5px dashed var(--c);outline-offset:-1.5px}
.text{font-size:1.125rem;line-height:2.05;white-space:pre-wrap;overflow-wrap:anywhere;margin:-6px 0 16px}
mark,.chip{--share:15%;color:inherit;background:color-mix(in srgb,var(--c) var(--share),transparent);
border-radius:5px;padding:2px 5px}
mark{border-bottom:2px solid var(--c);-webkit-box-decoration-break:clone;box-decoration-break:clone}
mark mark{padding:0 4px}
mark.missed{background:none;border:1.5px dashed var(--c)}
mark.wrong{border-bottom-style:double;border-bottom-width:4px}
.badge{font:600 .78rem/1 system-ui,sans-serif;margin-inline-start:6px}
mark>.badge{color:var(--c)}
.gold{border-inline-start:1.5px solid currentcolor;padding-inline-start:6px;margin-inline-start:3px}
mark.right>.badge{color:color-mix(in srgb,var(--c) 85%,var(--ink))}
.wrong>.badge,.wrong .arrow .badge{color:var(--wrong)}
.wrong .gold{color:var(--ink)}
.missed .arrow .badge{color:var(--missed)}.right .arrow .badge{color:var(--right)}
.relations{width:auto;font-size:.9375rem;margin-bottom:16px}
.relations caption{font-size:.875rem;color:var(--quiet);font-weight:500;padding-bottom:2px}
.relations thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.relations td{border:0;padding:4px 8px 4px 0;vertical-align:middle}
.chip{display:inline-block;border-left:3px solid var(--c);border-radius:3px 5px 5px 3px;font-weight:500}
.arrow{display:inline-flex;align-items:center;gap:8px}
.arrow::before{content:"";width:18px;border-top:1.5px solid var(--quiet)}
.arrow::after{content:"\\2192";color:var(--quiet);margin-left:-2px}
.arrow .badge{margin:0;font-size:.8125rem}
.told{margin:0;font-size:.9375rem}
.told div{display:grid;grid-template-columns:8.5rem 1fr;gap:12px;padding:4px 0;border-top:1px solid var(--line)}
.told dt{color:var(--quiet)}.told dd{margin:0;overflow-wrap:anywhere;white-space:pre-line}
.heading{font-size:.875rem;font-weight:500;margin:0 0 2px}
.chains{margin:0 0 16px;padding:0;list-style:none;font-size:.9375rem}
.chains li{display:flex;flex-wrap:wrap;gap:4px 6px;align-items:baseline;padding:3px 0}
mark.faint{background:none;border:0;padding:0;color:inherit}.faint>.badge,.faint:not(mark){display:none}
.arced{position:relative;padding-top:22px;line-height:2.8}
.arcs{position:absolute;inset:0;width:100%;height:100%;overflow:visible;pointer-events:none}
.arcs path{fill:none;stroke:var(--quiet);stroke-width:1.5;opacity:.7}
.arcs .head{fill:var(--quiet);stroke:none}
.arcs text{font:600 11px/1 system-ui,sans-serif;fill:var(--ink);stroke:var(--card);stroke-width:7px;paint-order:stroke;
stroke-linejoin:round;text-anchor:middle}
.arcs.some g:not(.lit){opacity:.2}.arcs .lit path{stroke:var(--ink);opacity:1;stroke-width:2}
.more{margin-top:12px;font-size:.9375rem}.more summary{color:var(--quiet);cursor:pointer}
.errors{margin-top:12px;color:var(--wrong);font-size:.875rem;overflow-wrap:anywhere}
"""
_MARGINS = """
.notes{max-width:none}.notes li{max-width:80ch}.notes li+li{margin-top:10px}
footer{max-width:1040px;margin:40px auto 0;padding:0 24px 48px;color:var(--quiet);font-size:.875rem}
@media(max-width:720px){
main,header,footer{padding-left:16px;padding-right:16px}header{padding-top:28px}
.post{grid-template-columns:minmax(0,1fr);padding:16px}.images{margin-bottom:18px}
.bar{grid-template-columns:1fr}.bar dd{grid-template-columns:1fr auto}
.told div{grid-template-columns:1fr;gap:0}
}
@media print{
:root{--ground:#fff}
body{font-size:11pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
nav{display:none}header{padding-top:0}h2{break-after:avoid;margin-top:24px}
.post,.cards>figure,tr{break-inside:avoid}.cards>figure,.post,.notes{border-color:#ccc}
.post{grid-template-columns:220px minmax(0,1fr)}
}
"""


def card_style() -> str:
    """The rules of a card inside another page: they hold below the class `openmie` only."""
    return (
        f".openmie{{color-scheme:light dark;max-width:1040px;color:var(--ink);font:16px/1.55 system-ui,sans-serif;"
        f"overflow-wrap:anywhere;container-type:inline-size;"
        f"{_LIGHT}*{{box-sizing:border-box}}{_labels(0)}"
        f"@media(prefers-color-scheme:dark){{{_DARK}{_labels(1)}}}"
        f".post{{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 20px}}"
        f".errors{{list-style:none;margin:0;padding:0}}{_boxes()}{_GENERAL}{_CARDS}"
        f"@container(max-width:600px){{.post{{grid-template-columns:minmax(0,1fr)}}.images{{margin-bottom:18px}}}}{lighting()}}}"
    )


def style_sheet() -> str:
    """The whole sheet; paper is always light."""
    light, dark = f":root{{{_LIGHT}}}{_labels(0)}", f":root{{{_DARK}}}{_labels(1)}"
    return (
        f":root{{color-scheme:light dark}}{light}@media screen and (prefers-color-scheme:dark){{{dark}}}"
        f"{_boxes()}{_GENERAL}{_PAGE}{_CARDS}{_MARGINS}{lighting()}"
    )
