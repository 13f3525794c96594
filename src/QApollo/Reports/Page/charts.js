// Draws the curves of a run page: each <figure class="curve" data-key="part.series"> from the data in #data.
(() => {
  'use strict';
  const data = JSON.parse(document.getElementById('data').textContent);
  const view = { axis: 'step', smoothing: 0.8, log: false };
  const space = { left: 52, right: 10, top: 8, bottom: 22 };
  const axes = { step: 'step', tokens: 'tokens', hours: 'hours' };
  const ns = 'http://www.w3.org/2000/svg';
  const color = run => `var(--c${[0, 5, 2, 6, 4, 10, 7, 8, 9, 12][run % 10]})`;

  const element = (name, attributes, parent, text) => {
    const made = document.createElementNS(ns, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  };

  const format = value => {
    if (value === null || !Number.isFinite(value)) return '-';
    const size = Math.abs(value);
    if (size >= 1e5) {
      const unit = size >= 1e12 ? [1e12, 'T'] : size >= 1e9 ? [1e9, 'B'] : size >= 1e6 ? [1e6, 'M'] : [1e3, 'K'];
      return +(value / unit[0]).toPrecision(4) + unit[1];
    }
    return size !== 0 && size < 1e-3 ? value.toExponential(2) : String(+value.toPrecision(5));
  };

  // Exponential moving average with Adam's bias correction: it starts at the first value, not at zero.
  const smooth = (values, decay) => {
    let sum = 0, weight = 0;
    return values.map(value => {
      if (value === null) return null;
      sum = decay * sum + (1 - decay) * value;
      weight = decay * weight + (1 - decay);
      return sum / weight;
    });
  };

  const ticks = (low, high, count) => {
    const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find(factor => factor * power >= raw * 0.999);
    const found = [];
    for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-6; value += step) found.push(Math.abs(value) < step * 1e-9 ? 0 : value);
    return found;
  };

  // The curves of a figure: those of its own key, and for the loss those of the validation too.
  const curvesOf = figure => data.runs.flatMap((run, index) => figure.dataset.key.split(' ').map((key, at) => {
    const [part, name] = key.split('.');
    const series = run[part] && run[part][name];
    return series && run[part].step.length
      ? { label: (data.runs.length > 1 ? run.name + ' ' : '') + (at ? 'validation' : ''), isDotted: at > 0, color: at && data.runs.length === 1 ? 'var(--c5)' : color(index), x: run[part][view.axis], mean: series.mean, low: series.min || series.mean, high: series.max || series.mean }
      : null;
  })).filter(curve => curve);

  const draw = figure => {
    const curves = curvesOf(figure);
    figure.hidden = curves.length === 0;
    if (figure.hidden) return;
    figure.querySelectorAll('svg,.tip').forEach(old => old.remove());
    const width = Math.max(240, figure.clientWidth - 24), height = figure.classList.contains('main') ? Math.min(360, width * 0.62) : 190;
    const isLog = view.log && figure.dataset.log === 'yes';
    const scale = value => isLog ? Math.log10(value) : value;
    const isShown = value => value !== null && (!isLog || value > 0);
    let left = Infinity, right = -Infinity, bottom = Infinity, top = -Infinity;
    for (const curve of curves) {
      for (let i = 0; i < curve.x.length; i++) {
        left = Math.min(left, curve.x[i]); right = Math.max(right, curve.x[i]);
        if (isShown(curve.low[i])) { bottom = Math.min(bottom, scale(curve.low[i])); top = Math.max(top, scale(curve.high[i])); }
      }
    }
    if (right <= left) right = left + 1;
    if (!(top > bottom)) { const pad = Math.abs(top) * 0.1 || 1; bottom = (Number.isFinite(bottom) ? bottom : 0) - pad; top = (Number.isFinite(top) ? top : 0) + pad; }
    const X = value => space.left + (width - space.left - space.right) * (value - left) / (right - left);
    const Y = value => height - space.bottom - (height - space.top - space.bottom) * (scale(value) - bottom) / (top - bottom);
    const svg = document.createElementNS(ns, 'svg');
    figure.append(svg);
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', figure.querySelector('figcaption').textContent);
    for (const tick of ticks(bottom, top, height / 40)) {
      const value = isLog ? 10 ** tick : tick;
      element('line', { x1: space.left, x2: width - space.right, y1: Y(value), y2: Y(value), stroke: 'var(--line)' }, svg);
      element('text', { x: space.left - 6, y: Y(value) + 4, 'text-anchor': 'end' }, svg, format(value));
    }
    for (const tick of ticks(left, right, Math.max(2, width / 80))) {
      element('text', { x: X(tick), y: height - 5, 'text-anchor': X(tick) > width - 30 ? 'end' : X(tick) < space.left + 12 ? 'start' : 'middle' }, svg, format(tick));
    }
    const path = (curve, values) => {
      let pen = 'M', text = '';
      values.forEach((value, i) => {
        if (!isShown(value)) { pen = 'M'; return; }
        text += `${pen}${X(curve.x[i]).toFixed(1)} ${Y(value).toFixed(1)}`;
        pen = 'L';
      });
      return text;
    };
    const isSmoothed = figure.dataset.smooth === 'yes' && view.smoothing > 0;
    for (const curve of curves) {
      curve.smoothed = isSmoothed && !curve.isDotted ? smooth(curve.mean, view.smoothing) : null;
      const spikes = curve.x.map((x, i) => curve.low[i] !== curve.high[i] && isShown(curve.low[i]) ? `M${X(x).toFixed(1)} ${Y(curve.low[i]).toFixed(1)}V${Y(curve.high[i]).toFixed(1)}` : '').join('');
      if (spikes) element('path', { d: spikes, stroke: curve.color, 'stroke-opacity': 0.35, fill: 'none' }, svg);
      element('path', { d: path(curve, curve.mean), stroke: curve.color, 'stroke-opacity': curve.smoothed ? 0.3 : 1, 'stroke-width': curve.smoothed ? 1 : 1.6, 'stroke-dasharray': curve.isDotted && data.runs.length > 1 ? '5 3' : 'none', fill: 'none', 'data-curve': 'raw' }, svg);
      if (curve.smoothed) element('path', { d: path(curve, curve.smoothed), stroke: curve.color, 'stroke-width': 2, fill: 'none', 'data-curve': 'smoothed' }, svg);
      if (curve.x.length < 60 && !curve.smoothed) curve.x.forEach((x, i) => { if (isShown(curve.mean[i])) element('circle', { cx: X(x), cy: Y(curve.mean[i]), r: 2.6, fill: curve.color }, svg); });
    }
    const cursor = element('line', { y1: space.top, y2: height - space.bottom, stroke: 'var(--soft)', visibility: 'hidden' }, svg);
    const tip = document.createElement('div');
    tip.className = 'tip';
    tip.hidden = true;
    figure.append(tip);
    svg.addEventListener('pointermove', event => {
      const box = svg.getBoundingClientRect();
      const at = left + (right - left) * Math.min(1, Math.max(0, ((event.clientX - box.left) * width / box.width - space.left) / (width - space.left - space.right)));
      const lines = [`${axes[view.axis]} ${format(at)}`];
      for (const curve of curves) {
        const i = nearest(curve.x, at);
        const range = curve.low[i] === curve.high[i] ? '' : ` (${format(curve.low[i])} to ${format(curve.high[i])})`;
        lines.push(`${curve.label} ${format(curve.mean[i])}${range}${curve.smoothed ? `, smoothed ${format(curve.smoothed[i])}` : ''}`.trim());
      }
      tip.replaceChildren(...lines.flatMap((line, i) => i ? [document.createElement('br'), line] : [line]));
      tip.hidden = false;
      const x = X(at) * box.width / width;
      tip.style.top = '34px';
      tip.style.left = `${Math.max(4, Math.min(x + 24, figure.clientWidth - tip.offsetWidth - 4))}px`;
      cursor.setAttribute('x1', X(at)); cursor.setAttribute('x2', X(at)); cursor.setAttribute('visibility', 'visible');
    });
    svg.addEventListener('pointerleave', () => { tip.hidden = true; cursor.setAttribute('visibility', 'hidden'); });
  };

  const nearest = (values, at) => {
    let low = 0, high = values.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (values[middle] <= at) low = middle; else high = middle;
    }
    return at - values[low] <= values[high] - at ? low : high;
  };

  document.querySelectorAll('.chip[data-run]').forEach(chip => { chip.style.background = color(+chip.dataset.run); });
  const figures = [...document.querySelectorAll('figure.curve')];
  const drawAll = () => figures.forEach(draw);
  document.querySelectorAll('[name=axis]').forEach(input => input.addEventListener('change', () => { view.axis = input.value; drawAll(); }));
  document.getElementById('smoothing').addEventListener('input', event => { view.smoothing = +event.target.value; drawAll(); });
  document.getElementById('log').addEventListener('change', event => { view.log = event.target.checked; drawAll(); });
  drawAll();
  let width = document.body.clientWidth;
  addEventListener('resize', () => { if (document.body.clientWidth !== width) { width = document.body.clientWidth; drawAll(); } });
})();
