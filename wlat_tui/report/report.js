"use strict";
// Draws the charts of this page. Everything is in the page: the library is packed in one element, the data in another.
(async () => {
  const root = document.documentElement;
  const wants = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(hover: none)").matches;
  const COLOURS = {
    light: {
      text: "#1b1f24", grid: "#e1e5ea", worst: "#0b7285", stall: "#c92a2a", mark: "#6741d9", threshold: "#c92a2a",
      class0: "#0b7285", class1: "#d9480f", class2: "#2b8a3e", a: "#0b7285", b: "#d9480f",
      nodes: ["#1971c2", "#d9480f", "#2b8a3e", "#862e9c", "#5c940d", "#a61e4d", "#364fc7", "#846358"],
    },
    dark: {
      text: "#e6edf3", grid: "#2d333b", worst: "#66d9e8", stall: "#ff8787", mark: "#b197fc", threshold: "#ff8787",
      class0: "#66d9e8", class1: "#ffa94d", class2: "#8ce99a", a: "#66d9e8", b: "#ffa94d",
      nodes: ["#74c0fc", "#ffa94d", "#8ce99a", "#e599f7", "#c0eb75", "#faa2c1", "#91a7ff", "#d0bfff"],
    },
  };
  const CONFIG = {
    responsive: true, displaylogo: false, displayModeBar: touch ? true : "hover",
    showSendToCloud: false, showEditInChartStudio: false, plotlyServerURL: "",
    modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"],
  };

  const unpacked = async (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent.trim()), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  const coloured = (chart, theme, narrow) => {
    const colours = COLOURS[theme];
    const of = (role) => (role.startsWith("node") ? colours.nodes[Number(role.slice(4))] : colours[role]);
    const data = chart.figure.data.map((trace) => {
      if (trace.type === "heatmap") {
        return { ...trace, colorscale: "Viridis", reversescale: theme === "light" };
      }
      const colour = of(trace.meta);
      return { ...trace, line: { ...trace.line, color: colour }, marker: { ...trace.marker, color: colour } };
    });
    const layout = structuredClone(chart.figure.layout);
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
      Object.assign(layout[name], { gridcolor: colours.grid, zerolinecolor: colours.text, automargin: true, fixedrange: false });
    }
    for (const shape of layout.shapes ?? []) {
      shape.line.color = shape.yref === "paper" ? colours.mark : colours.threshold;
    }
    for (const note of layout.annotations ?? []) {
      note.font = { color: colours.mark };
    }
    return [data, {
      ...layout,
      height: chart.height, autosize: true, dragmode: touch ? false : "zoom", hovermode: "closest",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colours.text, size: narrow ? 11 : 12 },
      margin: { l: 48, r: 8, t: touch ? 84 : 44, b: 40 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colours.text, activecolor: colours.mark },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, bgcolor: "rgba(0,0,0,0)" },
      hoverlabel: { align: "left" },
    }];
  };

  let theme = null;
  const themeNow = () => theme ?? (wants.matches ? "dark" : "light");
  const drawn = (as, width) => Promise.all(CHARTS.map((chart) => {
    const [data, layout] = coloured(chart, as, (width ?? innerWidth) < 640);
    return Plotly.react(chart.name, data, width ? { ...layout, width, autosize: false } : layout, CONFIG);
  }));

  const button = document.getElementById("theme");
  const named = () => { button.textContent = themeNow() === "dark" ? "Light colours" : "Dark colours"; };
  root.dataset.theme = themeNow();
  named();

  const CHARTS = JSON.parse(document.getElementById("charts").textContent);
  try {
    const script = document.createElement("script");
    script.textContent = await unpacked("library");
    document.head.append(script);
    for (const chart of CHARTS) {
      document.getElementById(chart.name).textContent = "";
    }
    await drawn(themeNow());
    root.dataset.charts = "drawn";
  } catch (error) {
    root.dataset.charts = "failed";
    for (const chart of CHARTS) {
      document.getElementById(chart.name).textContent = `This browser cannot draw the chart (${error.message}); the tables have the figures.`;
    }
    return;
  }

  const follow = () => { root.dataset.theme = themeNow(); named(); drawn(themeNow()); };
  wants.addEventListener("change", follow);
  button.addEventListener("click", () => { theme = themeNow() === "dark" ? "light" : "dark"; follow(); });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => { details.open = true; });
    drawn("light", 680);
  });
  addEventListener("afterprint", () => {
    closed.forEach((details) => { details.open = false; });
    drawn(themeNow());
  });
})();
