/* Draws what the pages' JSON holds. Without it every page still has its table: nothing is only in a picture. Names are text: they are
   drawn or set as textContent, never as markup. */
"use strict";

const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(`--${name}`).trim();

async function asked(address, extra) {
  const url = new URL(address, location.href);
  for (const [name, value] of Object.entries(extra)) url.searchParams.set(name, value);
  const answer = await fetch(url, { headers: { accept: "application/json" } });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error || `answered ${answer.status}`);
  return found;
}

function told(where, text) {
  const line = document.createElement("p");
  line.className = "notice";
  line.textContent = text;
  where.replaceChildren(line);
}

/* lines across a chart: where versions began, where answers were corrected */
function marked(marks) {
  return {
    hooks: {
      draw: [(u) => {
        const { ctx, bbox } = u;
        ctx.save();
        ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
        ctx.textAlign = "left";
        let last = -Infinity;
        for (const mark of marks) {
          const x = u.valToPos(Date.parse(mark.time) / 1000, "x", true);
          if (x < bbox.left || x > bbox.left + bbox.width) continue;
          ctx.strokeStyle = colour(mark.kind === "version" ? "soft" : "orange");
          ctx.setLineDash([2, 4]);
          ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
          if (x - last > 30 * devicePixelRatio) {
            ctx.fillStyle = colour("soft");
            ctx.fillText(mark.label, x + 3, bbox.top + 11 * devicePixelRatio);
            last = x;
          }
        }
        ctx.restore();
      }],
    },
  };
}

const axis = (more) => ({ stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") }, ...more });
const line = (label, stroke, more) => ({ label, stroke, width: 1.5, spanGaps: false, points: { show: false }, ...more });

/* how uPlot writes times: with the day or the year below where it changes */
const DAY = "\n{YYYY}-{MM}-{DD}", NONE = [null, null, null, 1];
const TIMES = [
  [31536000, "{YYYY}", null, null, null, null, ...NONE],
  [2419200, "{YYYY}-{MM}", null, null, null, null, ...NONE],
  [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, ...NONE],
  [60, "{HH}:{mm}", DAY, null, DAY, null, ...NONE],
  [1, "{HH}:{mm}:{ss}", DAY, null, DAY, null, ...NONE],
  [0.001, ":{ss}.{fff}", DAY, null, DAY, null, ...NONE],
];

const CHARTS = {
  performance: (found) => {
    const p = found.points;
    const few = { points: { show: p.time.length < 60, size: 5 } };
    const data = [p.time, p.lower, p.upper, p.value, p.estimate, p.first, p.challenger];
    const series = [{}, line("lower", "transparent"), line("upper", "transparent"), line(found.metric, colour("blue"), { width: 2, ...few }),
      line("expected", colour("warn"), { dash: [2, 3] }), line(`v${found.first_version ?? 1} alone`, colour("orange"), { dash: [6, 4], ...few }),
      line("challenger", colour("good"), { dash: [8, 3, 2, 3], ...few })];
    return { data, series, bands: [{ series: [2, 1], fill: `${colour("blue")}33` }] };
  },
  coverage: (found) => ({ data: [found.points.time, found.points.coverage], series: [{}, line("labelled", colour("blue"), { fill: `${colour("blue")}22` })],
    scales: { y: { range: [0, 1] } }, height: 150 }),
  feature: (found) => {
    const p = found.points;
    return { data: [p.time, p.distance, p.threshold, p.missing, p.unseen],
      series: [{}, line("distance", colour("blue"), { width: 2, points: { show: p.time.length < 60, size: 5 } }), line("threshold", colour("bad"), { dash: [6, 4] }),
        line("missing", colour("warn"), { dash: [2, 3] }), line("not in training", colour("good"), { dash: [2, 3] })],
      scales: { y: { range: (u, low, high) => [0, Math.max(high ?? 0, 0.05) * 1.05] } } };
  },
};

async function chart(where) {
  try {
    const found = await asked(where.dataset.from, { points: Math.max(10, Math.round(where.clientWidth / 2)) });
    if (!found.points || !found.points.time.length) return told(where, "No window in this range of time.");
    const made = CHARTS[where.dataset.chart](found);
    where.replaceChildren();
    made.series[0] = { value: "{YYYY}-{MM}-{DD} {HH}:{mm}" };
    const plot = new uPlot({
      width: where.clientWidth, height: made.height ?? 300, series: made.series, bands: made.bands ?? [], scales: made.scales ?? {},
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"), axes: [axis({ values: TIMES }), axis({ size: 60 })],
      plugins: [marked(found.marks)], cursor: { drag: { x: true, y: false } },
    }, made.data, where);
    new ResizeObserver(() => plot.setSize({ width: where.clientWidth, height: made.height ?? 300 })).observe(where);
  } catch (error) {
    told(where, `This picture could not be drawn: ${error.message}`);
  }
}

/* columns × windows */
class Heat {
  constructor(where) {
    this.where = where;
    this.canvas = where.querySelector("canvas");
    this.told = where.querySelector(".told");
    this.canvas.addEventListener("pointermove", (event) => this.read(event));
    this.canvas.addEventListener("click", (event) => this.open(event));
    let waiting = 0;
    new ResizeObserver(() => { clearTimeout(waiting); waiting = setTimeout(() => this.load(), 150); }).observe(where);
  }

  async load() {
    if (this.width === this.where.clientWidth) return;
    this.width = this.where.clientWidth;
    this.left = Math.min(180, Math.round(this.width * 0.28));
    try {
      this.found = await asked(this.where.dataset.from, { width: Math.max(10, this.width - this.left) });
      this.cells = Uint8Array.from(atob(this.found.cells), (c) => c.charCodeAt(0));
      this.draw();
    } catch (error) {
      this.told.textContent = `This picture could not be drawn: ${error.message}`;
    }
  }

  draw() {
    const rows = this.found.features.length, columns = this.found.starts.length, ratio = devicePixelRatio || 1;
    this.row = Math.max(6, Math.min(18, Math.round(720 / rows)));
    const height = rows * this.row;
    this.canvas.width = this.width * ratio;
    this.canvas.height = height * ratio;
    const ctx = this.canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    const shades = [0, 1, 2, 3, 4, "u"].map((n) => colour(`heat-${n}`)), at = this.found.at_threshold, far = at + 100;
    const shade = (cell) => cell === 0 ? shades[0] : cell === 1 ? shades[5] : cell <= (at + 2) / 2 ? shades[1] : cell <= at ? shades[2] : cell < far ? shades[3] : shades[4];
    const wide = (this.width - this.left) / columns;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        ctx.fillStyle = shade(this.cells[r * columns + c]);
        ctx.fillRect(this.left + c * wide, r * this.row, Math.max(1, wide + 0.5), this.row - 1);
      }
    }
    this.lines(ctx, height);
    ctx.fillStyle = colour("ink");
    ctx.font = `${Math.min(12, this.row)}px system-ui, sans-serif`;
    ctx.textBaseline = "middle";
    if (this.row >= 9) {
      for (let r = 0; r < rows; r++) ctx.fillText(this.found.features[r].name.slice(0, 60), 0, (r + 0.5) * this.row, this.left - 8);
    }
  }

  /* where versions began and answers were corrected, across all columns */
  lines(ctx, height) {
    const times = this.found.starts.map(Date.parse), wide = (this.width - this.left) / times.length;
    ctx.setLineDash([2, 3]);
    for (const mark of this.found.marks) {
      const at = Date.parse(mark.time), next = times.findIndex((time) => time >= at);
      const x = this.left + wide * (next < 0 ? times.length : next);
      ctx.strokeStyle = colour(mark.kind === "version" ? "ink" : "orange");
      ctx.beginPath(); ctx.moveTo(x, 0); ctx.lineTo(x, height); ctx.stroke();
    }
    ctx.setLineDash([]);
  }

  at(event) {
    if (!this.found) return null;
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const row = Math.floor(y / this.row), columns = this.found.starts.length;
    const column = Math.floor((x - this.left) / ((this.width - this.left) / columns));
    const feature = this.found.features[row];
    return feature ? { feature, column, cell: column >= 0 && column < columns ? this.cells[row * columns + column] : null } : null;
  }

  read(event) {
    const at = this.at(event);
    if (!at) return;
    const when = at.cell === null ? "" : ` ${this.found.starts[at.column].slice(0, 16)} – ${this.found.ends[at.column].slice(0, 16)}:`;
    const what = at.cell === null ? "" : at.cell === 0 ? " nothing known" : at.cell === 1 ? " no threshold yet"
      : ` ${((at.cell - 2) / 100).toFixed(2)}${at.cell === 255 ? " or more" : ""} × threshold`;
    this.told.textContent = `${at.feature.name}:${when}${what}`;
  }

  open(event) {
    const at = this.at(event);
    if (!at) return;
    const url = new URL(this.where.dataset.feature, location.href);
    url.searchParams.set("feature", at.feature.name);
    location.assign(url);
  }
}

/* an address says only what was chosen */
document.querySelectorAll("form.range").forEach((form) => form.addEventListener("formdata", (event) => {
  for (const name of ["model", "from", "to"]) if (event.formData.get(name) === "") event.formData.delete(name);
}));
document.querySelectorAll("[data-chart]").forEach(chart);
document.querySelectorAll("[data-heat]").forEach((where) => new Heat(where));
