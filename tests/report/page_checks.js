// What a reader would complain about, found in the page itself. Evaluates to an object of lists of texts, which are
// empty where all is well, and of what the page holds.
(() => {
  const found = { outside: [], clipped: [], overlapping: [], faint: [], empty: [], unnamed: [], figures: [] };
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    found.outside.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${width}`);
  }
  // Own boxes may scroll; nothing else reaches beyond the window.
  for (const element of document.body.querySelectorAll('*')) {
    if (element.closest('.scroll, pre, svg')?.contains(element) && !element.matches('.scroll, pre')) continue;
    const box = element.getBoundingClientRect();
    if (box.width > 0 && (box.right > width + 0.5 || box.left < -0.5)) {
      found.outside.push(element.outerHTML.slice(0, 80));
    }
  }

  const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\d.]+/g).map((value) => channel(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!/, 0\)$|transparent/.test(color)) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const worded = 'p, h1, h2, h3, th, td, dt, dd, small, a, figcaption, span, caption, summary, pre';
  for (const element of document.body.querySelectorAll(worded)) {
    if (contrast(getComputedStyle(element).color, background(element)) < 4.5) {
      found.faint.push(element.textContent.slice(0, 60));
    }
  }

  for (const figure of document.querySelectorAll('figure')) {
    const panels = [...figure.querySelectorAll('svg')];
    found.figures.push({ id: figure.id, title: figure.querySelector('h3')?.textContent ?? '', panels: panels.length });
    if (!panels.length) found.empty.push(figure.id);
    if (!figure.querySelector('figcaption')?.textContent.trim()) found.unnamed.push(figure.id);
    for (const svg of panels) {
      if (!svg.getAttribute('aria-label') || svg.getAttribute('role') !== 'img') found.unnamed.push(figure.id);
      const frame = svg.getBoundingClientRect();
      if (!svg.querySelector('path, image, use') || frame.width < 100 || frame.height < 10) found.empty.push(figure.id);
      const texts = [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim());
      const boxes = texts.map((text) => text.getBoundingClientRect());
      texts.forEach((text, i) => {
        const what = `${figure.id}: ${text.textContent}`;
        const box = boxes[i];
        const beyond = [frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom];
        if (Math.max(...beyond) > 1) found.clipped.push(what);
        boxes.slice(i + 1).forEach((other, j) => {
          const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left);
          const high = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
          if (wide > 1.5 && high > 0.35 * Math.min(box.height, other.height)) {
            found.overlapping.push(`${what} and ${texts[i + 1 + j].textContent}`);
          }
        });
        // Numbers inside the cells of a map stand on its colours, all others on the page.
        const fill = getComputedStyle(text).fill;
        if (!text.closest('.on-map') && contrast(fill, background(svg)) < 4.5) found.faint.push(what);
      });
    }
  }
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  found.repeated = ids.filter((id, i) => ids.indexOf(id) !== i);
  found.dangling = [...document.querySelectorAll('a[href^="#"], use')]
    .map((element) => (element.getAttribute('href') ?? element.getAttribute('xlink:href')).slice(1))
    .filter((id) => !document.getElementById(id));
  for (const table of document.querySelectorAll('table')) {
    const isUnscoped = [...table.querySelectorAll('th')].some((cell) => !cell.scope);
    if (!table.caption || isUnscoped) found.unnamed.push(table.textContent.slice(0, 60));
  }
  return found;
})()
