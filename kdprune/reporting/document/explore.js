// Charts that answer: drawn by Vega-Lite, which stands in this file, in the colours of the page.
"use strict";
const wish = matchMedia("(prefers-color-scheme: dark)");
const drawCharts = () => {
  const style = getComputedStyle(document.documentElement);
  const [ink, soft, line] = ["--ink", "--soft", "--line"].map((name) => style.getPropertyValue(name).trim());
  const fonts = { labelColor: soft, titleColor: soft, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400 };
  for (const place of document.querySelectorAll(".chart")) {
    const text = document.getElementById(place.dataset.spec).textContent;
    const spec = JSON.parse(text);
    if (wish.matches) {
      const { dark } = spec.usermeta;
      const range = spec.encoding.color.scale.range;
      spec.encoding.color.scale.range = range.map((colour) => dark[colour] ?? colour);
    }
    const config = {
      background: null,
      font: getComputedStyle(document.body).fontFamily,
      axis: { ...fonts, gridColor: line, domainColor: line, tickColor: line, gridOpacity: 0.6 },
      legend: { labelColor: ink, labelFontSize: 12 },
    };
    const compiled = vegaLite.compile(spec, { config }).spec;
    for (const axis of compiled.axes ?? []) {
      if (axis.title === "size, logarithmic") axis.title = { signal: "axis + ', logarithmic'" };
    }
    delete compiled.$schema; // Vega-Embed would warn of its own version
    const theme = wish.matches ? "dark" : "light";
    vegaEmbed(place, compiled, { mode: "vega", renderer: "svg", actions: false, tooltip: { theme } });
  }
};
drawCharts();
wish.addEventListener("change", drawCharts);
