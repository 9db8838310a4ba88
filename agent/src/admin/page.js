
'use strict';
const button = document.getElementById('pause');
let paused = false;
button.hidden = false;
button.addEventListener('click', () => {
  paused = !paused;
  button.textContent = paused ? 'Go on' : 'Pause';
});
setInterval(async () => {
  // Whoever marks text, or is within a table, is not disturbed.
  if (paused || document.hidden || !document.getSelection().isCollapsed || document.activeElement.closest('main')) return;
  try {
    const answer = await fetch('/', { cache: 'no-store' });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    document.querySelector('main').replaceWith(page.querySelector('main'));
    document.title = page.title;
  } catch {
    document.title = 'meshloom-agent does not answer';
    const heading = document.querySelector('h1');
    heading.className = 'bad';
    heading.textContent = 'The agent does not answer: what is below was so when it last did';
  }
}, 3000);
