// Stacked bars: for each template how often each version runs. Values come from a data attribute.
(() => {
  const drawn = new Map();
  const colours = {
    light: {
      text: "#1f2033", faint: "#5b5d74", line: "#e3e3ee", surface: "#ffffff",
      UP_TO_DATE: ["#3aa76d", "#7cc9a0"], BEHIND_MINOR: ["#e9a93a", "#f6d591"], BEHIND_MAJOR: ["#d9534f", "#f2b0ad"],
      label: { UP_TO_DATE: "#08321c", BEHIND_MINOR: "#3d2600", BEHIND_MAJOR: "#2d0706" },
    },
    dark: {
      text: "#e5e6f1", faint: "#a6a8c0", line: "#2d2f42", surface: "#1a1b27",
      UP_TO_DATE: ["#3f9d6c", "#2b6f4c"], BEHIND_MINOR: ["#c98f2e", "#8a6420"], BEHIND_MAJOR: ["#b8413e", "#7d2f2d"],
      label: { UP_TO_DATE: "#04180d", BEHIND_MINOR: "#241600", BEHIND_MAJOR: "#ffffff" },
    },
  };
  // Colour and pattern: plain, diagonal, counter-diagonal.
  const pattern = (state, colour) => ({
    UP_TO_DATE: { symbol: "none" },
    BEHIND_MINOR: { color: colour, symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 6], rotation: Math.PI / 4 },
    BEHIND_MAJOR: { color: colour, symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -Math.PI / 4 },
  }[state]);

  function options(bars, theme, width) {
    const palette = colours[theme];
    const widest = Math.max(...bars.map((bar) => bar.versions.reduce((sum, version) => sum + version.count, 0)));
    const longest = Math.max(...bars.map((bar) => bar.name.length));
    const names = Math.min(Math.max(60, longest * 7.2), width * 0.36);
    const pixels = (count) => ((width - names - 30) * count) / widest;
    const depth = Math.max(...bars.map((bar) => bar.versions.length));
    const series = Array.from({ length: depth }, (_, rank) => ({
      type: "bar",
      stack: "versions",
      barMaxWidth: 30,
      data: bars.map((bar) => {
        const version = bar.versions[rank];
        if (!version) return null;
        const [main, light] = palette[version.state];
        const space = pixels(version.count);
        return {
          value: version.count,
          version,
          itemStyle: { color: main, borderColor: palette.surface, borderWidth: 1.5, decal: pattern(version.state, light) },
          label: {
            show: space > 34,
            formatter: space > 70 ? `${version.number}  ×${version.count}` : `${version.number}`,
            color: palette.label[version.state], fontWeight: 600, fontSize: 12,
            backgroundColor: version.state === "UP_TO_DATE" ? "transparent" : main, padding: [2, 4], borderRadius: 3,
          },
        };
      }),
    }));
    return {
      animation: false,
      aria: { enabled: false, decal: { show: false } },
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: palette.text },
      grid: { left: 4, right: 12, top: 4, bottom: 4, containLabel: true },
      xAxis: { type: "value", minInterval: 1, axisLabel: { color: palette.faint }, splitLine: { lineStyle: { color: palette.line } } },
      yAxis: {
        type: "category", inverse: true, data: bars.map((bar) => bar.name),
        axisLabel: { color: palette.text, width: names, overflow: "truncate" },
        axisLine: { lineStyle: { color: palette.line } }, axisTick: { show: false },
      },
      series,
    };
  }

  function draw(element) {
    const bars = JSON.parse(element.dataset.chartValues);
    if (!bars.length) return;
    drawn.get(element)?.dispose();
    element.style.height = `${Math.max(110, bars.length * 46 + 34)}px`;
    const chart = echarts.init(element);
    const theme = document.documentElement.dataset.bsTheme === "dark" ? "dark" : "light";
    chart.setOption(options(bars, theme, element.clientWidth));
    chart.on("click", (event) => { if (event.data?.version) location.href = event.data.version.url; });
    drawn.set(element, chart);
  }

  function all() {
    for (const [element, chart] of drawn) {
      if (!element.isConnected) { chart.dispose(); drawn.delete(element); }
    }
    document.querySelectorAll("[data-chart=versions]").forEach(draw);
  }
  document.addEventListener("DOMContentLoaded", all);
  document.addEventListener("theme:changed", all);
  document.addEventListener("htmx:afterSettle", all);
  let pending;
  addEventListener("resize", () => {
    clearTimeout(pending);
    pending = setTimeout(all, 150);
  });
})();
