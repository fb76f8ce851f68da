"use strict";
// Draws one uPlot chart per vital from the JSON block #chart-data: history with its gaps, the
// forecast's median, and its 95, 80 and 50 % intervals as fans.
(() => {
  const HOUR = 3600;
  const HISTORY = 7, MEDIAN = 8, NIGHTS = 9;   // columns behind the times and the three fans
  const LEVELS = ["95", "80", "50"];
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");
  const clock = new Intl.DateTimeFormat("en-GB", {
    timeZone: "UTC", weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
  });

  // An hour's value stands in the middle of its hour.
  const columns = (chart) => {
    const last = chart.history.length;
    const ahead = chart.forecast ? chart.forecast.median.length : 0;
    const offset = chart.forecast ? Math.round((chart.forecast.start - chart.start) / HOUR) : last;
    const length = Math.max(last, offset + ahead);
    const empty = () => new Array(length).fill(null);
    const place = (values) => {
      const column = empty();
      values.forEach((value, index) => { column[offset + index] = value; });
      return column;
    };
    const times = Array.from({ length }, (_, index) => chart.start + (index + 0.5) * HOUR);
    const history = empty();
    chart.history.forEach((value, index) => { history[index] = value; });
    const fans = chart.forecast
      ? LEVELS.flatMap((level) => [place(chart.forecast.fans[level][1]), place(chart.forecast.fans[level][0])])
      : LEVELS.flatMap(() => [empty(), empty()]);
    const median = chart.forecast ? place(chart.forecast.median) : empty();
    const nights = empty();
    chart.nights.forEach(([at, mean]) => { nights[at] = mean; });
    return [times, ...fans, history, median, nights];
  };

  const series = () => [
    {},
    ...LEVELS.flatMap((level) => ["upper", "lower"].map((edge) => ({
      label: `${level} ${edge}`, stroke: "transparent", width: 0, points: { show: false },
    }))),
    {
      label: "history", stroke: colour("--history"), width: 1.5, spanGaps: false,
      // A reading between two gaps has no line: it gets a dot.
      points: { show: true, size: 4, width: 0, fill: colour("--history"), filter: alone },
    },
    { label: "median", stroke: colour("--median"), width: 2, points: { show: false } },
    { label: "nights", stroke: "transparent", width: 0,
      points: { show: true, size: 7, width: 1.5, stroke: colour("--history"), fill: colour("--card") } },
  ];

  const alone = (plot, index, show) => {
    const values = plot.data[index];
    return values.flatMap((value, i) =>
      value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : []);
  };

  const bands = () => LEVELS.map((level, index) => ({
    series: [1 + 2 * index, 2 + 2 * index], fill: colour(`--fan${level}`),
  }));

  const nowLine = (now) => (plot) => {
    const x = Math.round(plot.valToPos(now, "x", true));
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("--ink-soft");
    ctx.fillStyle = colour("--ink-soft");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    ctx.fillText("now", x - 4 * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
    ctx.restore();
  };

  // Triangles on the axis: dark where a reading is kept out of the curve, light where it is in it.
  const flagMarks = (flags) => (plot) => {
    const { ctx, bbox } = plot;
    const foot = bbox.top + bbox.height;
    const size = 4 * devicePixelRatio;
    ctx.save();
    flags.forEach(([at, keptOut]) => {
      const x = plot.valToPos(plot.data[0][at], "x", true);
      ctx.fillStyle = colour(keptOut ? "--flag-kept-out" : "--flag");
      ctx.beginPath();
      ctx.moveTo(x - size, foot);
      ctx.lineTo(x, foot - 2 * size);
      ctx.lineTo(x + size, foot);
      ctx.fill();
    });
    ctx.restore();
  };

  const told = (chart, plot, index) => {
    if (index === null || index === undefined) return "";
    const when = clock.format(new Date((plot.data[0][index] - HOUR / 2) * 1000));
    const [, keptOut, why] = chart.flags.find(([at]) => at === index) ?? [];
    // Where nothing that came counts, the reason says all.
    if (keptOut && plot.data[HISTORY][index] === null) return `${when}: ${why}`;
    return `${when}: ${hourTold(chart, plot, index)}${why ? `; ${why}` : ""}`;
  };

  const hourTold = (chart, plot, index) => {
    const value = (column) => plot.data[column][index];
    const show = (number) => number.toFixed(chart.digits);
    if (value(HISTORY) !== null) return `${show(value(HISTORY))} ${chart.unit}`;
    if (value(NIGHTS) !== null) return `${show(value(NIGHTS))} ${chart.unit}, mean of the night`;
    if (value(MEDIAN) !== null) {
      return `${show(value(MEDIAN))} ${chart.unit}, 80 % ${show(value(4))}–${show(value(3))}`;
    }
    const gap = (chart.gaps ?? []).find(([from, to]) => index >= from && index < to);
    return gap ? `no reading, ${gap[2]}` : "no reading";
  };

  const range = (chart) => (plot, low, high) => {
    if (low === null || high === null) return [0, 1];
    const margin = Math.max((high - low) * 0.08, chart.digits ? 0.2 : 2);
    return [low - margin, high + margin];
  };

  // The strip of gaps stands under the same hours as the chart: from the middle of the first hour
  // to the middle of the last one, as the chart's own axis does.
  const align = (figure, plot) => {
    const strip = figure.querySelector(".gaps");
    if (!strip) return;
    strip.setAttribute("viewBox", `0.5 0 ${Math.max(1, plot.data[0].length - 1)} 1`);
    strip.style.marginLeft = `${plot.bbox.left / devicePixelRatio}px`;
    strip.style.width = `${plot.bbox.width / devicePixelRatio}px`;
  };

  const draw = (figure, chart, now) => {
    const target = figure.querySelector(".plot");
    const readout = figure.querySelector(".readout");
    const data = columns(chart);
    if (data.slice(1).every((column) => column.every((value) => value === null))) {
      target.classList.add("blank");
      target.textContent = chart.flags.length ? "No reading of these seven days counts."
        : "No readings in these seven days.";
      target.removeAttribute("role");
      target.removeAttribute("tabindex");
      return null;
    }
    const axis = { stroke: colour("--ink-soft"), font: "11px system-ui, sans-serif",
                   grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const end = Math.max(data[0][data[0].length - 1], now + 24 * HOUR);
    const plot = new uPlot({
      width: target.clientWidth, height: 190, tzDate: utc, legend: { show: false },
      scales: { x: { time: true, range: () => [chart.start, end] }, y: { range: range(chart) } },
      axes: [
        { ...axis, size: 26, space: 64, values: (self, ticks) => ticks.map((tick) => {
          const date = new Date(tick * 1000);
          return date.getUTCHours() ? `${String(date.getUTCHours()).padStart(2, "0")}:00`
            : date.toLocaleDateString("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });
        }) },
        { ...axis, size: 44, incrs: chart.digits ? [0.1, 0.2, 0.5, 1, 2, 5] : [1, 2, 5, 10, 20, 50] },
      ],
      series: series(), bands: bands(),
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      hooks: {
        draw: [nowLine(now), flagMarks(chart.flags), (self) => align(figure, self)],
        setCursor: [(self) => { readout.textContent = told(chart, self, self.cursor.idx); }],
      },
    }, data, target);
    target.addEventListener("keydown", (event) => step(event, plot));
    return plot;
  };

  const step = (event, plot) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -24, PageDown: 24 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const last = plot.data[0].length - 1;
    const from = plot.cursor.idx ?? last - 24;
    const index = Math.min(last, Math.max(0, from + moves[event.key]));
    plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: 10 });
  };

  const block = document.getElementById("chart-data");
  if (!block) return;
  const { now, vitals } = JSON.parse(block.textContent);
  const drawn = vitals.map((chart) => {
    const figure = document.querySelector(`[data-vital="${chart.vital}"]`);
    return { figure, plot: draw(figure, chart, now) };
  });
  const resize = () => drawn.forEach(({ figure, plot }) => {
    if (plot) plot.setSize({ width: figure.querySelector(".plot").clientWidth, height: 190 });
  });
  addEventListener("resize", resize);
  // Paper cannot be opened: what is folded stands there too, but for long tables.
  const folded = () => document.querySelectorAll("details:not([open], .add-entry, .making, .numbers)");
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...folded()];
    unfolded.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => unfolded.forEach((one) => { one.open = false; }));
  document.documentElement.dataset.charts = "drawn";
})();
