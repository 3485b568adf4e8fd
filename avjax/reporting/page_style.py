"""What the page of a report looks like, and its one script."""

LIGHT = {
  'page': '#ffffff', 'text': '#1a1a1a', 'soft': '#44484d', 'link': '#00558b',
  'line': '#c4c8cc', 'rule': '#55595e', 'focus': '#b34700', 'alarm': '#a33e00',
  'warm': '#fdf3ec', 'code': '#f3f4f5',
}  # fmt: skip
"""Name -> colour. Text, soft, link and alarm have 4.5:1 or more on page, warm
and code; focus and rule have 3:1 on page."""
DARK = {
  'page': '#14171a', 'text': '#e8eaed', 'soft': '#bcc2c8', 'link': '#8ecbff',
  'line': '#3d444b', 'rule': '#8c949c', 'focus': '#ffab66', 'alarm': '#ffb38a',
  'warm': '#33241a', 'code': '#20262b',
}  # fmt: skip


def _colours(names: dict[str, str]) -> str:
  return ' '.join(f'--{name}: {value};' for name, value in names.items())


STYLE = (
  f"""
:root {{ color-scheme: light dark; {_colours(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_colours(DARK)} }} }}
"""
  + """
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem;
  color: var(--text); background: var(--page);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1rem 0 0.5rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 0.5rem; padding-top: 0.75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 0.5rem; }
p, .notes { max-width: 46rem; }
a, summary { color: var(--link); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; }
nav ul { columns: 20rem 3; margin: 0.5rem 0; padding-left: 1.2rem; }
nav li { break-inside: avoid; padding: 0.15rem 0; }
.scroll { overflow-x: auto; margin: 1rem 0 0.5rem; max-width: 100%; }
table { border-collapse: separate; border-spacing: 0; font-size: 0.875rem;
  font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
caption span { position: sticky; left: 0; display: inline-block;
  max-width: min(46rem, calc(100vw - 3rem)); }
th, td { padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: top; }
td { white-space: nowrap; }
thead th { max-width: 14rem; border-bottom: 2px solid var(--rule);
  vertical-align: bottom; }
.scroll th:first-child { position: sticky; left: 0; background: var(--page);
  border-right: 1px solid var(--line); }
tbody th { font-weight: 500; overflow-wrap: anywhere;
  max-width: min(22rem, 40vw); }
.scroll tbody th { min-width: min(13rem, 40vw); }
.notes, figcaption { font-size: 0.875rem; color: var(--soft); }
.notes { margin: 0.25rem 0 1.5rem; padding-left: 1.2rem; }
.figures { display: grid; gap: 1.5rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
figure { margin: 0.75rem 0; max-width: 34rem; }
figure img { background: #fff; border-radius: 4px; }
.glance .figures { grid-template-columns: 1fr; }
.glance figure { display: grid; gap: 0.5rem 1.5rem; align-items: center;
  max-width: 62rem;
  grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.glance img { width: 100%; max-width: 27rem; }
.seen { display: block; color: var(--text); padding-top: 0.25rem; }
figcaption { padding-top: 0.4rem; max-width: 34rem; }
img { max-width: 100%; height: auto; display: block; }
details { border-bottom: 1px solid var(--line); padding: 0.3rem 0; }
summary { cursor: pointer; padding: 0.3rem 0; min-height: 1.75rem; }
label { margin-right: 1rem; }
select { font: inherit; padding: 0.3rem; color: var(--text);
  background: var(--page); border: 1px solid var(--rule); max-width: 100%; }
.found { border-left: 4px solid var(--focus); padding: 0.3rem 0.8rem;
  margin: 1rem 0; background: var(--warm); max-width: 46rem; }
.found p { margin: 0.2rem 0; } .found ul { margin: 0.2rem 0; }
code { white-space: nowrap; }
pre { overflow-x: auto; background: var(--code); padding: 0.6rem;
  font-size: 0.8rem; }
.wrong { color: var(--alarm); }
@media (prefers-color-scheme: dark) {
  figure img { padding: 0.25rem; filter: brightness(0.82); } }
@media print {
"""
  + f'  :root {{ color-scheme: light; {_colours(LIGHT)} }}'
  + """
  @page { margin: 15mm; }
  html { font-size: 9.5pt; }
  body { max-width: none; padding: 0; }
  nav, .skip, .filters { display: none; }
  section[id^="run-"] { break-before: page; }
  h2, h3, caption, summary { break-after: avoid; }
  figure, tr, .found, .scroll { break-inside: avoid; }
  thead { display: table-header-group; }
  .scroll { overflow: visible; }
  .scroll table { width: 100%; font-size: 7.5pt; }
  .scroll th, .scroll td { white-space: normal; padding: 0.2rem 0.25rem; }
  .scroll th:first-child, caption span { position: static; min-width: 0; }
  .figures { grid-template-columns: 1fr 1fr; gap: 0.5rem 1.5rem; }
  figure img { padding: 0; width: 74mm; max-width: 100%; filter: none; }
  details { padding: 0; }
  summary { min-height: 0; padding: 0.1rem 0; }
  pre { white-space: pre-wrap; }
}
"""
)

# The page works without scripts; this one only filters the list of clips.
SCRIPT = """
for (const browser of document.querySelectorAll('.browser')) {
  const [emotion, result] = browser.querySelectorAll('select');
  const clips = [...browser.querySelectorAll('details')];
  const filter = () => {
    let shown = 0;
    for (const clip of clips) {
      clip.hidden = (emotion.value && clip.dataset.label !== emotion.value)
        || (result.value && clip.dataset.result !== result.value);
      shown += !clip.hidden;
    }
    browser.querySelector('[role=status]').textContent =
      `${shown} of ${clips.length} clips shown`;
  };
  emotion.addEventListener('change', filter);
  result.addEventListener('change', filter);
  browser.querySelector('.filters').hidden = false;
  filter();
}
"""
