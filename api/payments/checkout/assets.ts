/** Style and script of the checkout page, served as files of their own so that the page needs nothing inline. */

export const style = `
:root { color-scheme: light dark; --ink: #1b1f2a; --soft: #5b6474; --paper: #fff; --back: #f4f5f9; --line: #e1e4ec;
  --waiting: #175cd3; --working: #b54708; --done: #067647; --attention: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #eef0f6; --soft: #a3acbd; --paper: #1b1f2a; --back: #11141c;
  --line: #323848; --waiting: #84adff; --working: #fdb022; --done: #47cd89; --attention: #f97066; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); }
main { max-width: 30rem; margin: 0 auto; padding: 1.25rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: 14px; }
header { text-align: center; }
h1 { margin: .25rem 0; font-size: 2rem; } h2 { font-size: 1.05rem; margin: 0 0 .25rem; }
.seller, .invoice, .time { margin: 0; color: var(--soft); }
.status { margin: 1rem 0; padding: .75rem 1rem; border-left: 4px solid currentColor; background: var(--back);
  border-radius: 6px; }
.status p { margin: 0; color: var(--ink); }
.waiting { color: var(--waiting); } .working { color: var(--working); } .done { color: var(--done); }
.attention, .test { color: var(--attention); }
.pay, .test { text-align: center; }
.qr { display: inline-block; margin-bottom: .75rem; background: #fff; border-radius: 8px; line-height: 0; overflow: hidden; }
.qr svg { width: min(15rem, 70vw); height: auto; }
time { font-variant-numeric: tabular-nums; font-weight: 600; color: var(--ink); }
dl { text-align: left; margin: 1rem 0; } dt { color: var(--soft); font-size: .85rem; margin-top: .6rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.copied button { flex: none; }
.copied { display: flex; align-items: center; justify-content: space-between; gap: .75rem; }
code { font: .95rem ui-monospace, monospace; overflow-wrap: anywhere; }
button, .wallet { font: inherit; white-space: nowrap; padding: .4rem .8rem; border-radius: 8px; border: 1px solid var(--line);
  background: var(--back); color: var(--ink); cursor: pointer; }
.wallet { display: block; padding: .7rem; text-decoration: none; background: #175cd3; border-color: #175cd3; color: #fff;
  text-align: center; font-weight: 600; }
details { margin: .4rem 0; text-align: left; } summary { cursor: pointer; padding: .3rem 0 .3rem 1.1rem; text-indent: -1.1rem; }
.help { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); }
`;

/** A lost connection comes back by itself: the browser asks again, and the server answers with the state there is then. */
export const script = `'use strict';
const main = document.querySelector('main[data-events]');

let endsAt = 0;

/** Counted from when the page came: the clock of a phone may be wrong, and the time it has been open is not. */
function prepare() {
  for (const button of document.querySelectorAll('[data-copy]')) button.hidden = !navigator.clipboard;
  const time = document.querySelector('time[data-seconds]');
  if (time) endsAt = performance.now() + Number(time.dataset.seconds) * 1000;
  tick();
}

function tick() {
  const time = document.querySelector('time[data-seconds]');
  if (!time) return;
  const left = Math.max(0, Math.ceil((endsAt - performance.now()) / 1000));
  document.getElementById('until').textContent = left === 0 ? 'The time is over:' : 'The rate holds for';
  time.textContent = left === 0 ? 'we are checking' : Math.floor(left / 60) + ':' + String(left % 60).padStart(2, '0');
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  navigator.clipboard.writeText(text).then(() => {
    button.textContent = 'Copied';
  });
});

/** What it says, without the time that passes. */
function saying(state) {
  return state.outerHTML.replace(/ data-seconds="\\d+"/, '');
}

let said = saying(document.getElementById('state'));
prepare();
setInterval(tick, 1000);
const events = new EventSource(main.dataset.events);
events.addEventListener('state', (event) => {
  const template = document.createElement('template');
  template.innerHTML = JSON.parse(event.data);
  const next = template.content.firstElementChild;
  if (saying(next) === said) {
    // Nothing moves under the finger of somebody who is about to copy.
    const time = document.querySelector('time[data-seconds]');
    if (time) time.dataset.seconds = next.querySelector('time[data-seconds]').dataset.seconds;
  } else {
    said = saying(next);
    document.getElementById('state').replaceWith(next);
  }
  prepare();
});
`;
